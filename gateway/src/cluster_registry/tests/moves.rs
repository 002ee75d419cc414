//! Views that change while requests are on their way.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use zot_cluster::{ClusterId, State, Storage, View};
use zot_contract::{
    Chunk, Error, PageRequest, Registry,
    suite::{Client, content::blob_of},
};
use zot_oci::Digest;
use zot_services::stall::unless_stalled;

use super::{STALL, cluster::Cluster, until};

#[tokio::test]
async fn a_move_is_followed_once_the_new_view_is_told() {
    unless_stalled(STALL, async || {
        let cluster = Cluster::start(Storage::Local).await;
        let (before, after) = (cluster.view(1, &[]), cluster.view(2, &[2]));
        let name = cluster.moving(&before, &after);
        let registry = cluster.registry_of(vec![cluster.nodes[0].member.address.clone()]).await;
        let shared: Arc<dyn Registry> = Arc::new(registry.clone());
        // Only the node that loses it and the one that gets it know of the new view: the gateway follows another one, until it is told.
        let (loser, heir) = (cluster.owner(&before, &name), cluster.owner(&after, &name));
        Client::new(&cluster.nodes[heir].registry, &name).push_image(1, &["v1"]).await;
        for node in [loser, heir] {
            cluster.nodes[node].tell(&after, cluster.key());
        }
        assert!(Client::new(&shared, &name).resolve("v1").await.is_some());
        assert_eq!(registry.view().unwrap().number, 2);
    })
    .await;
}

#[tokio::test]
async fn a_move_to_nobody_knows_where_is_told_as_unavailable() {
    let cluster = Cluster::start(Storage::Local).await;
    let registry: Arc<dyn Registry> = Arc::new(cluster.registry().await);
    let (before, after) = (cluster.view(1, &[]), cluster.view(9, &[2]));
    let name = cluster.moving(&before, &after);
    let node = &cluster.nodes[cluster.owner(&before, &name)];
    // It knows of the view, and tells nobody.
    node.place(&after, cluster.key());
    let refused = Client::new(&registry, &name).stat(&Digest::sha256(b"")).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
}

#[tokio::test]
async fn views_never_go_back_whoever_tells_them() {
    let cluster = Cluster::start(Storage::Shared).await;
    cluster.nodes[0].tell(&cluster.view(5, &[]), cluster.key());
    let registry = cluster.registry_of(vec![cluster.nodes[0].member.address.clone()]).await;
    until(async || registry.view().unwrap().number == 5).await;
    cluster.nodes[0].tell(&cluster.view(4, &[1]), cluster.key());
    cluster.nodes[0].tell(&cluster.view(6, &[2]), cluster.key());
    until(async || registry.view().unwrap().number == 6).await;
    assert_eq!(registry.view().unwrap().members.len(), 2);
}

#[tokio::test]
async fn a_cluster_that_was_formed_anew_is_gone_over_to_and_one_node_alone_takes_nobody_along() {
    let cluster = Cluster::start(Storage::Shared).await;
    let of = |name: &str, number| View { cluster: Some(ClusterId::new(name)), ..cluster.view(number, &[]) };
    let tell = |nodes: &[usize], view: &View| nodes.iter().for_each(|node| cluster.nodes[*node].tell(view, cluster.key()));
    let registry = cluster.registry().await;
    let knows = async |view: &View| until(async || registry.view().as_ref() == Some(view)).await;
    cluster.tell(&of("old", 40));
    knows(&of("old", 40)).await;
    tell(&[0], &of("other", 50));
    tell(&[1, 2], &of("old", 41));
    knows(&of("old", 41)).await;
    cluster.tell(&of("new", 2));
    knows(&of("new", 2)).await;
    tell(&[2], &of("old", 99));
    tell(&[0, 1], &of("new", 3));
    knows(&of("new", 3)).await;
    // Another gateway that is told of the old cluster first, of which one member is left and there.
    tell(&[2], &View { cluster: Some(ClusterId::new("old")), ..cluster.view(99, &[0, 1]) });
    let late = cluster.registry_of([2, 0, 1].map(|node| cluster.nodes[node].member.address.clone()).into()).await;
    until(async || late.view().as_ref() == Some(&of("new", 3))).await;
}

/// Views as members come and go: of three nodes, one is left out in turn.
fn changing(cluster: &Cluster, number: u64) -> View {
    match number % 4 {
        0 => cluster.view(number, &[]),
        left_out => cluster.view(number, &[usize::try_from(left_out).unwrap() - 1]),
    }
}

/// Pushes and reads back until it is told to stop; returns the tags that were acknowledged.
async fn push_and_read(client: Client, stop: Arc<AtomicBool>) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) && number >= 20 {
            return acknowledged;
        }
        let tag = format!("v{number}");
        let push = client.push_image(number, &[&tag]).await;
        assert_eq!(client.resolve(&tag).await, Some(push.digest), "{tag} is there once it was acknowledged");
        acknowledged.insert(tag);
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_and_nothing_is_missing_while_members_come_and_go() {
    unless_stalled(STALL, async || {
        let cluster = Cluster::start(Storage::Shared).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut pushing = Vec::new();
        for number in 0..4 {
            let registry: Arc<dyn Registry> = Arc::new(cluster.registry().await);
            let client = Client::new(&registry, &format!("app-{number}"));
            pushing.push((client.clone(), tokio::spawn(push_and_read(client, Arc::clone(&stop)))));
        }
        for number in 2..40 {
            let view = changing(&cluster, number);
            // Nodes learn of it one after the other, and gateways from any of them.
            for node in &cluster.nodes {
                node.tell(&view, cluster.key());
                tokio::task::yield_now().await;
            }
            let (client, _) = &pushing[usize::try_from(number).unwrap() % pushing.len()];
            client.tags_page(&PageRequest::first(1)).await.ok();
        }
        stop.store(true, Ordering::Relaxed);
        for (client, pushed) in pushing {
            let acknowledged = tokio::time::timeout(super::HANG, pushed).await.unwrap().unwrap();
            let listed: BTreeSet<String> = client.tags().await.into_iter().collect();
            assert_eq!(listed, acknowledged);
        }
    })
    .await;
}

#[tokio::test]
async fn an_upload_goes_on_while_its_repository_moves() {
    let cluster = Cluster::start(Storage::Shared).await;
    let registry: Arc<dyn Registry> = Arc::new(cluster.registry().await);
    let (before, after) = (cluster.view(1, &[]), cluster.view(2, &[2]));
    let client = Client::new(&registry, &cluster.moving(&before, &after));
    let (upload, content) = (client.open().await, blob_of(3, 3_000_000));
    client.append(upload, Chunk::of(content.slice(..1_000_000))).await.unwrap();
    // The nodes know of the new view before the gateway does: what it sends is taken all the same.
    cluster.nodes.iter().for_each(|node| node.place(&after, cluster.key()));
    client.append(upload, Chunk::of(content.slice(1_000_000..2_000_000))).await.unwrap();
    let digest = Digest::sha256(&content);
    client.finish(upload, Chunk::of(content.slice(2_000_000..)), &digest).await.unwrap();
    cluster.tell(&after);
    assert_eq!(client.read(&digest).await.unwrap(), content);
}

#[tokio::test]
async fn the_lists_of_members_with_disks_of_their_own_are_one() {
    let cluster = Cluster::start(Storage::Local).await;
    let registry: Arc<dyn Registry> = Arc::new(cluster.registry().await);
    let names: Vec<String> = (10..40).map(|number| format!("app-{number}")).collect();
    for name in &names {
        Client::new(&registry, name).push_image(1, &["v1"]).await;
    }
    for node in &cluster.nodes {
        let own = Client::new(&node.registry, "any").repositories().await;
        assert!(!own.is_empty() && own.len() < names.len(), "each has some of them: {own:?}");
    }
    let client = Client::new(&registry, "any");
    let (mut listed, mut page) = (Vec::new(), PageRequest::first(7));
    loop {
        let found = client.repositories_page(&page).await.unwrap();
        listed.extend(found.entries);
        if !found.more {
            break;
        }
        page = PageRequest::after(listed.last().unwrap(), 7);
    }
    assert_eq!(listed, names);
}

#[tokio::test]
async fn a_view_without_owners_is_not_ready_and_refuses() {
    let cluster = Cluster::start(Storage::Shared).await;
    let registry = cluster.registry().await;
    let mut view = cluster.view(2, &[]);
    view.members.iter_mut().for_each(|member| member.state = State::Draining);
    cluster.tell(&view);
    until(async || !registry.is_ready()).await;
    let shared: Arc<dyn Registry> = Arc::new(registry);
    let refused = Client::new(&shared, "app").stat(&Digest::sha256(b"")).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
}
