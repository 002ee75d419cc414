//! A process that was passed over, and goes on after another one was asked for the same.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use zot_contract::{ManifestPush, Operation, OperationId, suite::Client};
use zot_storage::{
    WallClock,
    metadata::{Metadata, Scan},
};

use crate::{Stores, faults::EventfulMetadata, manifests::image};

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
    let later = |days: u64| WallClock::of(move || std::time::SystemTime::now() + std::time::Duration::from_secs(days * 24 * 60 * 60));
    assert_eq!(stores.engine().with_wall_clock(later(6)).forget_operations().await.unwrap(), 0);
    assert_eq!((stores.engine().with_wall_clock(later(8)).forget_operations().await.unwrap(), there().await), (1, 0));
}
