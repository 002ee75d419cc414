//! Bytes that a push has stored and no row speaks of: removed step by step, and never while the push may still succeed.

use std::sync::Arc;

use futures::FutureExt;
use tokio::{sync::Semaphore, task::JoinHandle};
use zot_contract::{
    Chunk, Error, ManifestPush, Registry,
    suite::{
        Client,
        content::{Document, blob_of},
    },
};
use zot_oci::Digest;
use zot_storage::{
    BlobAddress, BlobKey, Engine,
    metadata::{Expect, Key, Metadata, Scan, Transaction},
};

use crate::{
    Stores,
    faults::{Event, EventfulMetadata},
};

const LARGE: usize = 700_000;

/// A push whose process is stopped when its bytes are stored and its rows are not.
struct Stopped {
    push: JoinHandle<zot_contract::Result<()>>,
    resume: Arc<Semaphore>,
    digest: Digest,
}

impl Stopped {
    async fn push(stores: &Stores, seed: u64) -> Self {
        let bytes = blob_of(seed, LARGE);
        let digest = Digest::sha256(&bytes);
        Self::of(stores, digest, move |client| async move { client.finish(client.open().await, Chunk::of(bytes), &digest).await }).await
    }

    async fn push_manifest(stores: &Stores, push: ManifestPush) -> Self {
        Self::of(stores, push.digest, |client| async move { client.put(push).await.map(drop) }).await
    }

    async fn of<F: Future<Output = zot_contract::Result<()>> + Send + 'static>(
        stores: &Stores,
        digest: Digest,
        push: impl FnOnce(Client) -> F + Send + 'static,
    ) -> Self {
        let (reached, resume) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let event: Event = Box::new({
            let (reached, resume) = (reached.clone(), resume.clone());
            move || {
                async move {
                    reached.add_permits(1);
                    resume.acquire().await.unwrap().forget();
                    Ok(())
                }
                .boxed()
            }
        });
        let metadata: Arc<dyn Metadata> = Arc::new(EventfulMetadata::new(&stores.metadata, 0, event));
        let client = Stores { metadata, ..stores.clone() }.client("a");
        let push = tokio::spawn(async move { push(client).await });
        reached.acquire().await.unwrap().forget();
        Self { push, resume, digest }
    }

    async fn resumed(self) -> (Digest, zot_contract::Result<()>) {
        self.resume.add_permits(1);
        (self.digest, self.push.await.unwrap())
    }
}

/// Stores that are complete, and an engine that removes what no row speaks of.
async fn scene() -> (Stores, Engine, Client) {
    let stores = Stores::new();
    let mut transaction = Transaction::new();
    transaction.put(Key::Schema, Expect::Absent, vec![0x08, 0x01]);
    stores.metadata.commit(transaction).await.unwrap();
    let engine = stores.engine();
    let registry: Arc<dyn Registry> = Arc::new(engine.clone());
    (stores, engine, Client::new(&registry, "a"))
}

async fn is_there(stores: &Stores, place: &str) -> bool {
    let at = BlobAddress { key: BlobKey::shared(&Digest::sha256(b"")), place: place.to_owned() };
    stores.blobs.size(&at).await.unwrap().is_some()
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_in_two_steps_and_nothing_else() {
    let (stores, engine, client) = scene().await;
    let kept = client.push_blob(blob_of(1, LARGE)).await;
    let before = stores.places();
    let stopped = Stopped::push(&stores, 2).await;
    let left: Vec<_> = stores.places().into_iter().filter(|place| !before.contains(place)).collect();
    assert_eq!((before.len(), left.len()), (1, 1));

    assert_eq!(engine.reap_places(stores.places()).await.unwrap(), 0);
    assert!(is_there(&stores, &left[0]).await, "it is condemned, and no more");
    assert_eq!(engine.reap_places(stores.places()).await.unwrap(), 1);
    assert!(!is_there(&stores, &left[0]).await);
    assert_eq!(engine.reap_places(stores.places()).await.unwrap(), 0);
    assert_eq!(client.read(&kept).await.unwrap(), blob_of(1, LARGE));

    // It was not killed but only stopped: it does not get to say that the bytes are there, however late it comes.
    let (digest, pushed) = stopped.resumed().await;
    assert!(matches!(pushed, Err(Error::Unavailable { .. })), "{pushed:?}");
    assert!(!client.has_blob(&digest).await);
    assert_eq!(client.push_blob(blob_of(2, LARGE)).await, digest);
    assert_eq!(client.read(&digest).await.unwrap(), blob_of(2, LARGE));
}

#[tokio::test]
async fn a_push_that_succeeds_between_the_steps_keeps_its_bytes() {
    let (stores, engine, client) = scene().await;
    // It commits after the rows were read and before the place is condemned.
    let stopped = Stopped::push(&stores, 3).await;
    let event: Event = Box::new(move || {
        async move {
            stopped.resumed().await.1.unwrap();
            Ok(())
        }
        .boxed()
    });
    let metadata = Arc::new(EventfulMetadata::new(&stores.metadata, 0, event));
    let late = Stores { metadata: metadata.clone(), ..stores.clone() }.engine();
    assert_eq!(late.reap_places(stores.places()).await.unwrap(), 0);
    assert!(metadata.happened());
    for _ in 0..2 {
        assert_eq!(engine.reap_places(stores.places()).await.unwrap(), 0);
    }
    let digest = Digest::sha256(&blob_of(3, LARGE));
    assert_eq!(client.read(&digest).await.unwrap(), blob_of(3, LARGE));
    // Nothing stays behind that would forbid anything.
    assert_eq!(stores.metadata.scan(&Scan::Condemned(None), 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_push_that_is_under_way_is_never_deprived_before_it_was_told() {
    let (stores, engine, client) = scene().await;
    let stopped = Stopped::push(&stores, 4).await;
    // Condemned only: its bytes are there, and it fails all the same, because the next step may come at any time.
    assert_eq!(engine.reap_places(stores.places()).await.unwrap(), 0);
    let (digest, pushed) = stopped.resumed().await;
    assert!(matches!(pushed, Err(Error::Unavailable { .. })), "{pushed:?}");
    client.push_blob(blob_of(4, LARGE)).await;
    for _ in 0..3 {
        engine.reap_places(stores.places()).await.unwrap();
        assert_eq!(client.read(&digest).await.unwrap(), blob_of(4, LARGE));
    }
}

#[tokio::test]
async fn nothing_is_removed_while_the_rows_are_being_made() {
    let (stores, engine, client) = scene().await;
    let digest = client.push_blob(blob_of(5, LARGE)).await;
    let link = Key::Link("a".parse().unwrap(), digest);
    let row = |key: Key| {
        let metadata = stores.metadata.clone();
        async move { metadata.get(&key).await.unwrap().unwrap().value }
    };
    let rows = [(Key::Blob(digest), row(Key::Blob(digest)).await), (link.clone(), row(link).await)];
    let mut transaction = Transaction::new();
    transaction.put(Key::Schema, Expect::Present, vec![0x12, 0x01, b'x']);
    rows.iter().for_each(|(key, _)| transaction.delete(key.clone(), Expect::Present));
    stores.metadata.commit(transaction).await.unwrap();
    for _ in 0..3 {
        assert_eq!(engine.reap_places(stores.places()).await.unwrap(), 0);
    }
    let mut transaction = Transaction::new();
    rows.into_iter().for_each(|(key, value)| transaction.put(key, Expect::Absent, value));
    stores.metadata.commit(transaction).await.unwrap();
    assert_eq!(client.read(&digest).await.unwrap(), blob_of(5, LARGE));
}

#[tokio::test]
async fn rows_that_speak_of_nothing_are_not_believed() {
    let (stores, engine, _) = scene().await;
    let places = |count: usize| (0..count).map(|number| format!("_uploaded/{number}"));
    let error = engine.reap_places(places(101)).await.unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.starts_with("no row speaks of 101 of 101 objects") && why.ends_with("Are these the rows of this store?"), "{why}");
    assert_eq!(stores.metadata.scan(&Scan::Condemned(None), 1).await.unwrap(), []);
    engine.reap_places(places(100)).await.unwrap();
    assert_eq!(stores.metadata.scan(&Scan::Condemned(None), 1000).await.unwrap().len(), 100);
}

#[tokio::test]
async fn places_may_be_shown_a_page_at_a_time() {
    let (stores, engine, client) = scene().await;
    let kept = client.push_blob(blob_of(6, LARGE)).await;
    let _stopped = [Stopped::push(&stores, 7).await, Stopped::push(&stores, 8).await, Stopped::push(&stores, 9).await];
    let page = async |place: String| engine.reap_places([place]).await.unwrap();
    for _ in 0..2 {
        for place in stores.places() {
            page(place).await;
        }
    }
    // What was condemned with one page is removed with a later one, whatever that shows.
    assert_eq!(stores.places().len(), 1);
    assert_eq!(client.read(&kept).await.unwrap(), blob_of(6, LARGE));
}

/// A manifest that is too large for a row.
fn large_manifest() -> ManifestPush {
    Document::index(&[]).annotation("a", &"x".repeat(20_000)).push(&["v1"])
}

#[tokio::test]
async fn a_manifest_that_a_killed_process_left_is_removed_and_can_be_pushed_again() {
    let (stores, engine, client) = scene().await;
    let push = large_manifest();
    let stopped = Stopped::push_manifest(&stores, push.clone()).await;
    let left = stores.places();
    assert_eq!(left, [BlobKey::own(&"a".parse().unwrap(), &push.digest).as_str()]);
    assert_eq!(engine.reap_places(left.clone()).await.unwrap(), 0);
    assert_eq!(engine.reap_places(left.clone()).await.unwrap(), 1);
    assert_eq!(stores.places(), Vec::<String>::new());

    let (digest, pushed) = stopped.resumed().await;
    assert!(matches!(pushed, Err(Error::Unavailable { .. })), "{pushed:?}");
    client.put(push.clone()).await.unwrap();
    // Under the key, a removal that comes late would meet it.
    assert!(!is_there(&stores, &left[0]).await);
    for _ in 0..3 {
        assert_eq!(engine.reap_places(stores.places()).await.unwrap(), 0);
        assert_eq!(client.get(digest).await.unwrap().bytes, push.bytes);
    }

    client.delete(digest).await.unwrap();
    assert_eq!(engine.reap_places(stores.places()).await.unwrap(), 0);
    assert_eq!(engine.reap_places(stores.places()).await.unwrap(), 1);
    assert_eq!(stores.places(), Vec::<String>::new());
}

#[tokio::test]
async fn who_was_relieved_removes_nothing_that_was_pushed_since() {
    for pardoned in [true, false] {
        let (stores, engine, client) = scene().await;
        let push = large_manifest();
        client.put(push.clone()).await.unwrap();
        client.delete(push.digest).await.unwrap();
        assert_eq!(engine.reap_places(stores.places()).await.unwrap(), 0);
        // It is stopped before it says that it removes what it has found to be of no use.
        let places = stores.places();
        let (others, other, again) = (stores.clone(), client.clone(), push.clone());
        let event: Event = Box::new(move || {
            async move {
                if pardoned {
                    let mut pardon = Transaction::new();
                    pardon.delete(Key::Condemned(others.places().remove(0)), Expect::Present);
                    others.metadata.commit(pardon).await.unwrap();
                } else {
                    others.engine().reap_places(others.places()).await.unwrap();
                }
                other.put(again).await.unwrap();
                Ok(())
            }
            .boxed()
        });
        let metadata = Arc::new(EventfulMetadata::new(&stores.metadata, 0, event));
        let relieved = Stores { metadata: metadata.clone(), ..stores.clone() }.engine();
        assert_eq!(relieved.reap_places(places).await.unwrap(), 0);
        assert!(metadata.happened());
        assert_eq!(client.get(push.digest).await.unwrap().bytes, push.bytes);
    }
}
