//! Nodes that die, freeze or fail, and what a gateway's clients see of it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use parking_lot::Mutex;
use tokio::{io::AsyncReadExt as _, net::TcpListener, time::timeout};
use zot_cluster::{HashKey, State, Storage};
use zot_contract::{
    Chunk, Context, Error, MemoryRegistry, PageRequest, Registry, Routed,
    suite::{
        Client, body,
        content::{CONFIG, Document, blob_of, describe},
    },
};
use zot_oci::{Algorithm, ByteRange, Digest};
use zot_services::stall::unless_stalled;

use super::{HANG, STALL, cluster::Cluster, until};
use crate::sandbox::{Answers, Recording};

const NAME: &str = "app";

/// A cluster, a client of it, and the place of the node that owns the client's repository.
async fn owned(storage: Storage) -> (Cluster, Client, usize) {
    let cluster = Cluster::start(storage).await;
    let registry: Arc<dyn Registry> = Arc::new(cluster.registry().await);
    let owner = cluster.owner(&cluster.view(1, &[]), NAME);
    (cluster, Client::new(&registry, NAME), owner)
}

fn assert_unavailable<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::Unavailable { retry_after, .. }) if !retry_after.is_zero()), "{answer:?}");
}

#[tokio::test]
async fn everything_that_can_be_said_twice_goes_on_when_the_owner_dies() {
    let (mut cluster, client, owner) = owned(Storage::Shared).await;
    let push = client.push_image(1, &["v1"]).await;
    let digest = client.push_blob("abc").await;
    cluster.nodes[owner].kill();
    assert_eq!(client.get("v1").await.unwrap().bytes, push.bytes);
    assert_eq!(client.read(&digest).await.unwrap(), "abc");
    assert_eq!(client.tags().await, ["v1"]);
    assert_eq!(client.repositories().await, [NAME]);
    client.push_image(2, &["v2"]).await;
    client.delete("v1").await.unwrap();
    client.delete_blob(&digest).await.unwrap();
    assert_eq!(client.resolve("v1").await, None);
}

#[tokio::test]
async fn a_blob_goes_on_where_it_stopped() {
    let (mut cluster, client, owner) = owned(Storage::Shared).await;
    let content = blob_of(5, 30_000_000);
    let digest = client.push_blob(content.clone()).await;
    let mut whole = client.open_blob(&digest, None).await.unwrap().in_memory();
    let mut part = client.open_blob(&digest, ByteRange::new(7, 29_000_000)).await.unwrap().in_memory();
    let first = [whole.next().await.unwrap().unwrap(), part.next().await.unwrap().unwrap()];
    cluster.nodes[owner].kill();
    let rest: Vec<Bytes> = timeout(HANG, whole.try_collect()).await.unwrap().unwrap();
    assert!([first[0].clone(), rest.concat().into()].concat() == content);
    let rest: Vec<Bytes> = timeout(HANG, part.try_collect()).await.unwrap().unwrap();
    assert!([first[1].clone(), rest.concat().into()].concat() == content[7..=29_000_000]);
}

#[tokio::test]
async fn a_blob_does_not_go_on_for_ever() {
    let (mut cluster, client, _) = owned(Storage::Shared).await;
    let digest = client.push_blob(blob_of(5, 30_000_000)).await;
    let body = client.open_blob(&digest, None).await.unwrap();
    cluster.nodes.iter_mut().for_each(super::cluster::Node::kill);
    assert_unavailable(timeout(HANG, body.in_memory().try_collect::<Vec<Bytes>>()).await.unwrap());
}

#[tokio::test]
async fn a_body_of_which_much_was_sent_is_asked_for_again() {
    let (mut cluster, client, owner) = owned(Storage::Shared).await;
    let (upload, first) = (client.open().await, blob_of(6, 100_000));
    let (chunk, _hold) = body::held(first.clone(), Bytes::new());
    let appending = tokio::spawn({
        let client = client.clone();
        async move { client.append(upload, chunk).await }
    });
    until(async || client.status(upload).await.unwrap() == 100_000).await;
    cluster.nodes[owner].kill();
    assert_unavailable(timeout(HANG, appending).await.unwrap().unwrap());
    until(async || client.append(upload, Chunk::of("def").at(100_000)).await.is_ok()).await;
    client.finish(upload, Chunk::empty(), &Digest::sha256(&[&first[..], b"def"].concat())).await.unwrap();
}

#[tokio::test]
async fn a_body_waits_until_a_node_has_taken_its_connection_up() {
    let (mut cluster, client, owner) = owned(Storage::Shared).await;
    let upload = client.open().await;
    // In the owner's place there is a process that stops before it gets to its connections.
    cluster.nodes[owner].kill();
    let address = cluster.nodes[owner].member.address.clone();
    let bound = Mutex::new(None);
    until(async || {
        *bound.lock() = TcpListener::bind(&address).await.ok();
        bound.lock().is_some()
    })
    .await;
    let stopping = bound.into_inner().unwrap();
    let seeds = cluster.nodes.iter().map(|node| node.member.address.clone()).filter(|seed| *seed != address).collect();
    let registry: Arc<dyn Registry> = Arc::new(cluster.registry_of(seeds).await);
    let late = Client::new(&registry, NAME);
    let finishing = tokio::spawn(async move { late.finish(upload, Chunk::of("abc"), &Digest::sha256(b"abc")).await });
    let (mut connection, _) = timeout(HANG, stopping.accept()).await.unwrap().unwrap();
    let mut preface = [0; 24];
    connection.read_exact(&mut preface).await.unwrap();
    assert!(preface.starts_with(b"PRI * HTTP/2.0"));
    let more = timeout(Duration::from_millis(200), connection.read_exact(&mut [0])).await;
    assert!(more.is_err(), "whoever calls waits for the other end: {more:?}");
    drop((connection, stopping));
    timeout(HANG, finishing).await.unwrap().unwrap().expect("the next member gets the body whole");
    assert_eq!(client.read(&Digest::sha256(b"abc")).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_dead_disk_is_not_an_empty_one() {
    let (mut cluster, client, owner) = owned(Storage::Local).await;
    client.push_image(1, &["v1"]).await;
    cluster.nodes[owner].kill();
    assert_unavailable(client.stat_manifest("v1").await);
    assert_unavailable(client.stat(&Digest::sha256(b"")).await);
    assert_unavailable(client.tags_page(&PageRequest::first(1)).await);
    assert_unavailable(client.repositories_page(&PageRequest::first(1)).await);
    let others = (0..).map(|number| format!("other-{number}"));
    let other = others.into_iter().find(|name| cluster.owner(&cluster.view(1, &[]), name) != owner).unwrap();
    client.repository(&other).push_image(1, &["v1"]).await;
}

#[tokio::test]
async fn a_frozen_owner_is_passed_over() {
    unless_stalled(STALL, async || {
        let (cluster, client, owner) = owned(Storage::Shared).await;
        client.push_image(1, &["v1"]).await;
        let thaw = cluster.nodes[owner].freeze().await;
        // Far less than a call may take: pings tell.
        let resolved = timeout(Duration::from_secs(20), client.resolve("v1")).await;
        assert!(resolved.expect("another member answers").is_some());
        drop(thaw);
    })
    .await;
}

#[tokio::test]
async fn a_gateway_stays_ready_while_one_node_answers() {
    let mut cluster = Cluster::start(Storage::Shared).await;
    let registry = cluster.registry().await;
    for place in 0..2 {
        cluster.nodes[place].kill();
    }
    let view = cluster.view(2, &[0, 1]);
    cluster.nodes[2].tell(&view, cluster.key());
    until(async || {
        assert!(registry.is_ready());
        registry.view().is_some_and(|known| known.number == 2)
    })
    .await;
    cluster.nodes[2].kill();
    until(async || !registry.is_ready()).await;
}

/// Pushes an image as a client does that tries again what is unavailable.
async fn push(client: &Client, number: u64) -> String {
    let tag = format!("v{number}");
    let content = blob_of(number, 10_000);
    let (digest, document) = (Digest::sha256(&content), Document::image(&describe(CONFIG, &content), &[]));
    loop {
        let pushed = async {
            let upload = client.registry.open_upload(&client.cx, &client.repository, Algorithm::Sha256).await?;
            client.finish(upload, Chunk::of(content.clone()), &digest).await?;
            client.put(document.push(&[&tag])).await
        };
        match pushed.await {
            Ok(_) => return tag,
            Err(Error::Unavailable { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_push_is_lost_when_nodes_die_under_load() {
    let (mut cluster, client, owner) = owned(Storage::Shared).await;
    let (acknowledged, mut told) = tokio::sync::mpsc::unbounded_channel();
    let pushing: Vec<_> = (0..4_u64)
        .map(|pusher| {
            let (client, acknowledged) = (client.clone(), acknowledged.clone());
            tokio::spawn(async move {
                for number in 0..25 {
                    acknowledged.send(push(&client, pusher * 1000 + number).await).unwrap();
                }
            })
        })
        .collect();
    let mut expected = Vec::new();
    for place in [owner, (owner + 1) % 3] {
        expected.extend([timeout(HANG, told.recv()).await.unwrap().unwrap(), timeout(HANG, told.recv()).await.unwrap().unwrap()]);
        cluster.nodes[place].kill();
    }
    for pusher in pushing {
        timeout(HANG, pusher).await.unwrap().unwrap();
    }
    drop(acknowledged);
    while let Some(tag) = told.recv().await {
        expected.push(tag);
    }
    expected.sort();
    assert_eq!(client.tags().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_when_nodes_stop_in_order() {
    let (cluster, client, owner) = owned(Storage::Shared).await;
    let pushing: Vec<_> = (0..4_u64)
        .map(|pusher| {
            let client = client.clone();
            // It unwraps every answer.
            tokio::spawn(async move {
                for number in 0..25 {
                    client.push_image(pusher * 1000 + number, &[&format!("v{pusher}-{number}")]).await;
                }
            })
        })
        .collect();
    until(async || client.tags_page(&PageRequest::first(5)).await.is_ok_and(|page| page.entries.len() == 5)).await;
    cluster.nodes[owner].stop.cancel();
    until(async || client.tags_page(&PageRequest::first(30)).await.is_ok_and(|page| page.entries.len() == 30)).await;
    cluster.nodes[(owner + 1) % 3].stop.cancel();
    for pusher in pushing {
        timeout(HANG, pusher).await.unwrap().unwrap();
    }
    assert_eq!(client.tags().await.len(), 100);
}

/// Three recording nodes on one registry in memory, of which the owner of the client's repository answers as it is told.
async fn recorded(answers: Answers) -> (Cluster, Client, Vec<Arc<Recording>>, usize) {
    let memory: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let key = HashKey::new(*b"loremipsumdolors");
    let owner = Cluster::owner_of_three(key, NAME);
    let answers = |place| if place == owner { answers } else { Answers::Given };
    let recordings: Vec<_> = (0..3).map(|place| Arc::new(Recording::new(Arc::clone(&memory), answers(place)))).collect();
    let registries = recordings.iter().map(|recording| Arc::clone(recording) as Arc<dyn Registry>).collect();
    let cluster = Cluster::of(Storage::Shared, key, registries).await;
    let registry: Arc<dyn Registry> = Arc::new(cluster.registry().await);
    (cluster, Client::new(&registry, NAME), recordings, owner)
}

fn routes(recordings: &[Arc<Recording>]) -> Vec<Option<Routed>> {
    recordings.iter().flat_map(|recording| std::mem::take(&mut *recording.calls.lock())).map(|cx| cx.routed).collect()
}

/// Somebody was asked to stand in, and nobody was asked who owns it.
fn assert_all_failover(routes: &[Option<Routed>]) {
    let failover = Some(Routed { view: 1, failover: true });
    assert!(!routes.is_empty() && routes.iter().all(|routed| *routed == failover), "{routes:?}");
}

#[tokio::test]
async fn calls_say_which_view_they_go_by_and_who_was_passed_over() {
    unless_stalled(STALL, async || {
        let (mut cluster, client, recordings, owner) = recorded(Answers::Given).await;
        assert!(!client.has_blob(&Digest::sha256(b"")).await);
        assert_eq!(recordings[owner].calls.lock().len(), 1, "the owner is asked, and nobody else");
        assert_eq!(routes(&recordings), [Some(Routed { view: 1, failover: false })]);
        cluster.nodes[owner].kill();
        assert!(!client.has_blob(&Digest::sha256(b"")).await);
        assert_all_failover(&routes(&recordings));
    })
    .await;
}

#[tokio::test]
async fn an_owner_that_froze_is_asked_last_and_first_again_once_it_thaws() {
    unless_stalled(STALL, async || {
        let (cluster, client, recordings, owner) = recorded(Answers::Given).await;
        let thaw = cluster.nodes[owner].freeze().await;
        assert!(!timeout(HANG, client.has_blob(&Digest::sha256(b""))).await.expect("another member answers"));
        assert_all_failover(&routes(&recordings));
        // Changes do not wait for it either, now that it is known.
        client.push_blob("abc").await;
        assert_all_failover(&routes(&recordings));
        drop(thaw);
        until(async || {
            client.has_blob(&Digest::sha256(b"")).await;
            routes(&recordings) == [Some(Routed { view: 1, failover: false })]
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn members_that_the_others_do_not_hear_are_asked_when_nobody_else_answers() {
    let (mut cluster, client, recordings, owner) = recorded(Answers::Given).await;
    let mut view = cluster.view(2, &[]);
    let others = view.members.iter_mut().enumerate().filter(|(place, _)| *place != owner);
    others.for_each(|(_, member)| member.state = State::Down);
    cluster.tell(&view);
    until(async || {
        client.has_blob(&Digest::sha256(b"")).await;
        routes(&recordings) == [Some(Routed { view: 2, failover: false })]
    })
    .await;
    cluster.nodes[owner].kill();
    client.push_image(1, &["v1"]).await;
    assert!(client.resolve("v1").await.is_some());
}

#[tokio::test]
async fn an_owner_that_answers_is_believed_whatever_it_says() {
    let (_cluster, client, recordings, _) = recorded(Answers::Refused).await;
    let refused = client.stat(&Digest::sha256(b"")).await;
    assert!(matches!(refused, Err(Error::Unavailable { what: "storage", .. })), "{refused:?}");
    assert_eq!(routes(&recordings).len(), 1);
}

#[tokio::test]
async fn an_upload_whose_end_was_not_heard_of_has_ended() {
    let (_cluster, client, recordings, _) = recorded(Answers::Lost).await;
    let upload = client.open().await;
    client.append(upload, Chunk::of("abc")).await.unwrap();
    routes(&recordings);
    client.finish(upload, Chunk::empty(), &Digest::sha256(b"abc")).await.unwrap();
    let calls: Vec<Context> = recordings.iter().flat_map(|recording| recording.calls.lock().clone()).collect();
    assert!(routes(&recordings).contains(&Some(Routed { view: 1, failover: true })));
    // All attempts are one operation, and say which of them is not the first.
    let operations: BTreeSet<_> = calls.iter().filter_map(|cx| cx.operation).map(|operation| (operation.id, operation.again)).collect();
    let [(first, false), (second, true)] = operations.into_iter().collect::<Vec<_>>()[..] else { panic!("{calls:?}") };
    assert_eq!(first, second);
    let unknown = client.finish(upload, Chunk::empty(), &Digest::sha256(b"other")).await;
    assert!(matches!(unknown, Err(Error::UploadUnknown { .. })), "{unknown:?}");
}
