//! Who is served by whom, over two registries that know nothing of each other's content.

use zot_cluster::{HashKey, Member, State, View};
use zot_contract::{
    MemoryRegistry, Routed,
    suite::{Fixture, registry_suite},
};

use super::*;

const OURS: NodeId = NodeId(1);

fn placement(number: u64, storage: Storage, nodes: &[u64]) -> Arc<Placement> {
    let member = |id: &u64| Member { id: NodeId(*id), name: format!("n{id}"), address: format!("n{id}:1"), state: State::Up };
    let view = View { cluster: None, number, storage, members: nodes.iter().map(member).collect() };
    Arc::new(Placement::new(view, HashKey::new(*b"loremipsumdolors")))
}

fn owned(placement: Arc<Placement>) -> (Owned, watch::Sender<Arc<Placement>>) {
    let (sender, receiver) = watch::channel(placement);
    (Owned::new(Arc::new(MemoryRegistry::default()), OURS, receiver), sender)
}

/// A repository that is, or is not, ours among two nodes.
fn repository(ours: bool) -> RepositoryName {
    let placement = placement(1, Storage::Shared, &[1, 2]);
    let names = (0..).map(|number| format!("app-{number}").parse::<RepositoryName>().unwrap());
    let mut chosen = names.filter(|name| (placement.owner(name).unwrap().id == OURS) == ours);
    chosen.next().unwrap()
}

fn routed(view: u64, failover: bool) -> Context {
    Context::internal().routed(Routed { view, failover })
}

async fn look(owned: &Owned, cx: &Context, repository: &RepositoryName) -> Error {
    owned.stat_blob(cx, repository, &Digest::sha256(b"")).await.unwrap_err()
}

fn is_served(error: &Error) -> bool {
    matches!(error, Error::NameUnknown { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_owns_everything_keeps_the_contract() {
    for storage in [Storage::Shared, Storage::Local] {
        registry_suite(async || {
            let (owned, sender) = owned(placement(1, storage, &[1]));
            Fixture::new(owned).keep(sender)
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_ours_is_served_whatever_the_caller_goes_by() {
    for storage in [Storage::Shared, Storage::Local] {
        let (owned, _sender) = owned(placement(5, storage, &[1, 2]));
        for cx in [Context::internal(), routed(4, false), routed(5, false), routed(6, true)] {
            assert!(is_served(&look(&owned, &cx, &repository(true)).await));
        }
    }
}

#[tokio::test]
async fn callers_of_an_older_view_are_sent_to_the_owner_once() {
    let (owned, _sender) = owned(placement(5, Storage::Shared, &[1, 2]));
    let theirs = repository(false);
    assert!(matches!(look(&owned, &routed(4, false), &theirs).await, Error::Moved { view: 5 }));
    for cx in [Context::internal(), routed(4, true), routed(5, false), routed(6, false)] {
        assert!(is_served(&look(&owned, &cx, &theirs).await), "{cx:?}");
    }
}

#[tokio::test]
async fn a_body_is_taken_by_whoever_it_was_sent_to_if_all_reach_the_same_stores() {
    let (owned, _sender) = owned(placement(5, Storage::Shared, &[1, 2]));
    let (theirs, cx) = (repository(false), routed(4, false));
    let upload = owned.open_upload(&routed(5, false), &theirs, Algorithm::Sha256).await.unwrap();
    assert_eq!(owned.append_upload(&cx, &theirs, upload, Chunk::of("abc")).await.unwrap().offset, 3);
    owned.finish_upload(&cx, &theirs, upload, Chunk::empty(), &Digest::sha256(b"abc")).await.unwrap();
}

#[tokio::test]
async fn what_is_on_another_disk_is_never_told_as_absent() {
    let (owned, _sender) = owned(placement(5, Storage::Local, &[1, 2]));
    let theirs = repository(false);
    assert!(matches!(look(&owned, &routed(4, false), &theirs).await, Error::Moved { view: 5 }));
    for cx in [Context::internal(), routed(5, false), routed(6, false), routed(6, true)] {
        let refused = look(&owned, &cx, &theirs).await;
        assert!(matches!(refused, Error::Unavailable { what: "repository", .. }), "{refused:?}");
    }
    let upload = owned.append_upload(&routed(5, false), &theirs, UploadId::random(), Chunk::empty()).await;
    assert!(matches!(upload, Err(Error::Unavailable { .. })), "{upload:?}");
}

#[tokio::test]
async fn a_new_placement_counts_at_once() {
    let (owned, sender) = owned(placement(1, Storage::Local, &[1]));
    let theirs = repository(false);
    assert!(is_served(&look(&owned, &routed(1, false), &theirs).await));
    sender.send_replace(placement(2, Storage::Local, &[1, 2]));
    assert!(matches!(look(&owned, &routed(1, false), &theirs).await, Error::Moved { view: 2 }));
}
