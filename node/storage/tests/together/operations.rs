//! A process that was passed over, and goes on after another one was asked for the same.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::{FutureExt, future::BoxFuture};
use zot_contract::{
    Chunk, ManifestPush, Operation, OperationId,
    suite::{
        Client,
        content::{blob_of, repository},
    },
};
use zot_oci::Digest;
use zot_storage::{
    WallClock,
    metadata::{Metadata, Scan},
};

use crate::{Stores, faults::EventfulMetadata, manifests::image};

const LARGE: usize = 700_000;

/// What others do while the process is held: first of all, they make the change that it was asked for.
type Meanwhile = Box<dyn FnOnce(Client, Client) -> BoxFuture<'static, ()> + Send>;

/// Has a process change something while it is held before its commit of that number, and others do what they do. Returns whether there was such a
/// commit.
async fn held(
    stores: &Stores,
    number: usize,
    change: impl AsyncFnOnce(Client),
    meanwhile: impl FnOnce(Client, Client) -> BoxFuture<'static, ()> + Send + 'static,
) -> bool {
    let client = stores.client("a");
    let first = client.cx.clone().attempting(Operation { id: OperationId::new(), again: false });
    let again = Client { cx: first.clone().again(), ..client.clone() };
    let meanwhile: Meanwhile = Box::new(meanwhile);
    let event = Box::new(move || meanwhile(again, client).map(Ok).boxed());
    let metadata = Arc::new(EventfulMetadata::new(&stores.metadata, number, event));
    let passed_over = Stores { metadata: metadata.clone() as Arc<dyn Metadata>, ..stores.clone() };
    change(Client { cx: first, ..passed_over.client("a") }).await;
    metadata.happened()
}

/// Two images with the same tags: more of them than a transaction has room for, where transactions are small.
async fn images(stores: &Stores) -> [ManifestPush; 2] {
    let tags = ["v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"];
    let client = stores.client("a");
    [image(&client, 12, &tags).await.0, image(&client, 3, &tags).await.0]
}

#[tokio::test]
async fn what_was_pushed_since_stays() {
    for changes_max in [8, 100] {
        for number in 0.. {
            let stores = Stores::limited(changes_max);
            let [push, newer] = images(&stores).await;
            let (late, expected) = (push.clone(), newer.digest);
            let happened = held(
                &stores,
                number,
                async |client| {
                    client.put(late).await.unwrap();
                },
                move |again, client| {
                    async move {
                        again.put(push).await.unwrap();
                        client.put(newer).await.unwrap();
                    }
                    .boxed()
                },
            );
            if !happened.await {
                assert!(number >= if changes_max == 8 { 4 } else { 1 }, "it took {number} commits");
                break;
            }
            for tag in stores.client("a").tags().await {
                assert_eq!(stores.client("a").resolve(&tag).await, Some(expected), "{tag}, held before commit {number} of {changes_max}");
            }
        }
    }
}

#[tokio::test]
async fn what_was_deleted_since_is_not_there_again() {
    for changes_max in [8, 100] {
        for number in 0.. {
            let stores = Stores::limited(changes_max);
            let [push, _] = images(&stores).await;
            let (late, digest) = (push.clone(), push.digest);
            let happened = held(
                &stores,
                number,
                async |client| {
                    client.put(late).await.unwrap();
                },
                move |again, client| {
                    async move {
                        again.put(push).await.unwrap();
                        client.delete(digest).await.unwrap();
                    }
                    .boxed()
                },
            );
            if !happened.await {
                break;
            }
            let client = stores.client("a");
            assert_eq!(client.tags().await, Vec::<String>::new(), "held before commit {number} of {changes_max}");
            assert!(client.get(digest).await.is_err());
        }
    }
}

#[tokio::test]
async fn what_was_pushed_again_since_is_not_deleted() {
    for by_tag in [true, false] {
        for number in 0.. {
            let stores = Stores::limited(8);
            let [push, _] = images(&stores).await;
            stores.client("a").put(push.clone()).await.unwrap();
            let (digest, tags) = (push.digest, push.tags.len());
            let reference = if by_tag { "v1".to_owned() } else { digest.to_string() };
            let same = reference.clone();
            let happened = held(
                &stores,
                number,
                async |client| client.delete(same).await.unwrap(),
                move |again, client| {
                    async move {
                        again.delete(reference).await.unwrap();
                        client.put(push).await.unwrap();
                    }
                    .boxed()
                },
            );
            if !happened.await {
                break;
            }
            let client = stores.client("a");
            assert_eq!(client.tags().await.len(), tags, "held before commit {number}");
            assert!(client.get(digest).await.is_ok());
        }
    }
}

/// What happens to a blob while a process is held that was to mount it from `b` first: the other attempt, its answer, and a deletion.
async fn mounted_meanwhile(again: Client, client: Client, digest: Digest, way: usize) {
    match way {
        // Others mount it,
        0 => assert!(again.mount(&digest, "b").await.unwrap()),
        // or find it there,
        1 => {
            client.push_blob(blob_of(1, LARGE)).await;
            assert!(again.mount(&digest, "b").await.unwrap());
        }
        // or find nothing to mount.
        _ => {
            Client { repository: repository("b"), ..client.clone() }.delete_blob(&digest).await.unwrap();
            assert!(!again.mount(&digest, "b").await.unwrap());
            return;
        }
    }
    client.delete_blob(&digest).await.unwrap();
}

#[tokio::test]
async fn a_blob_that_was_deleted_since_is_not_mounted_again() {
    for (dedupe, way) in [(true, 0), (true, 1), (true, 2), (false, 0), (false, 1), (false, 2)] {
        for number in 0.. {
            let stores = Stores { dedupe, ..Stores::new() };
            let digest = stores.client("b").push_blob(blob_of(1, LARGE)).await;
            let happened = held(
                &stores,
                number,
                async |client| {
                    client.mount(&digest, "b").await.ok();
                },
                move |again, client| mounted_meanwhile(again, client, digest, way).boxed(),
            );
            if !happened.await {
                assert!(number > 0);
                break;
            }
            assert!(!stores.client("a").has_blob(&digest).await, "held before commit {number}, {dedupe}, {way}");
        }
    }
}

#[tokio::test]
async fn a_blob_that_was_deleted_since_is_not_there_again_because_its_upload_ends() {
    for number in 0.. {
        let stores = Stores::new();
        let client = stores.client("a");
        let (upload, bytes) = (client.open().await, blob_of(2, 1000));
        let digest = Digest::sha256(&bytes);
        client.append(upload, Chunk::of(bytes)).await.unwrap();
        let others = stores.clone();
        let happened = held(
            &stores,
            number,
            async |client| client.finish(upload, Chunk::empty(), &digest).await.unwrap(),
            move |again, client| {
                async move {
                    // So late that it may try.
                    let later = WallClock::of(|| SystemTime::now() + Duration::from_secs(120));
                    let again = Client { registry: Arc::new(others.engine().with_wall_clock(later)), ..again };
                    again.finish(upload, Chunk::empty(), &digest).await.unwrap();
                    client.delete_blob(&digest).await.unwrap();
                }
                .boxed()
            },
        );
        if !happened.await {
            assert!(number > 0);
            break;
        }
        assert!(!stores.client("a").has_blob(&digest).await, "held before commit {number}");
    }
}

#[tokio::test]
async fn what_can_be_made_twice_is_not_remembered_by_who_was_heard_at_once() {
    let stores = Stores::new();
    let client = stores.client("a");
    let attempt =
        |client: &Client| Client { cx: client.cx.clone().attempting(Operation { id: OperationId::new(), again: false }), ..client.clone() };
    let digest = attempt(&stores.client("b")).push_blob(blob_of(3, LARGE)).await;
    assert!(attempt(&client).mount(&digest, "b").await.unwrap());
    assert_eq!(stores.metadata.scan(&Scan::Operations(None), 10).await.unwrap(), []);
}

#[tokio::test]
async fn it_is_forgotten_what_ended_long_ago() {
    let stores = Stores::new();
    let [push, _] = images(&stores).await;
    assert!(
        held(
            &stores,
            0,
            async |client| {
                client.put(push).await.unwrap();
            },
            |_, _| async {}.boxed()
        )
        .await
    );
    let there = async || stores.metadata.scan(&Scan::Operations(None), 10).await.unwrap().len();
    assert_eq!((stores.engine().forget_operations().await.unwrap(), there().await), (0, 1));
    let later = |days: u64| WallClock::of(move || SystemTime::now() + Duration::from_secs(days * 24 * 60 * 60));
    assert_eq!(stores.engine().with_wall_clock(later(6)).forget_operations().await.unwrap(), 0);
    assert_eq!((stores.engine().with_wall_clock(later(8)).forget_operations().await.unwrap(), there().await), (1, 0));
}
