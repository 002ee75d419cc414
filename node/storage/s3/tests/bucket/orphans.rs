//! Blobs in the bucket that no row speaks of, because the process that stored them was killed in between.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use zot_contract::{Chunk, Error, Operation, OperationId, Registry, suite::Client};
use zot_oci::Digest;
use zot_s3::S3Blobs;
use zot_storage::{
    Engine, Result,
    blobs::BlobStore,
    metadata::{Cursor, Expect, Key, Kind, MemoryMetadata, Metadata, Outcome, Row, Scan, Transaction},
    sessions::{MemorySessions, Sessions},
};

use crate::server::{config, content, needs_server, open, shared};

/// Rows, as a process has them that is killed when it commits; how often it was about to do so.
#[derive(Debug)]
struct Killed(Arc<MemoryMetadata>, Arc<Semaphore>);

#[async_trait::async_trait]
impl Metadata for Killed {
    async fn get(&self, key: &Key) -> Result<Option<Row>> {
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>> {
        self.0.get_many(keys).await
    }

    async fn scan(&self, scan: &Scan, limit: usize) -> Result<Vec<(Key, Row)>> {
        self.0.scan(scan, limit).await
    }

    async fn walk(&self, kind: Kind, after: Option<&Cursor>) -> Result<(Vec<(Key, Row)>, Option<Cursor>)> {
        self.0.walk(kind, after).await
    }

    fn changes_max(&self) -> usize {
        self.0.changes_max()
    }

    async fn commit(&self, _: Transaction) -> Result<Outcome> {
        self.1.add_permits(1);
        std::future::pending().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}

async fn places(store: &S3Blobs) -> Vec<String> {
    // One by one, as whoever has more of them than fit into memory.
    let (mut places, mut after) = (Vec::new(), None::<String>);
    loop {
        let page;
        (page, after) = store.placed(Duration::ZERO, after.as_deref(), 1).await.unwrap();
        assert!(page.len() <= 1);
        places.extend(page.into_iter().map(|placed| placed.place));
        if after.is_none() {
            return places;
        }
    }
}

/// Rows that are complete, as an engine's are that was opened.
async fn rows() -> Arc<MemoryMetadata> {
    let metadata = Arc::<MemoryMetadata>::default();
    let mut schema = Transaction::new();
    schema.put(Key::Schema, Expect::Absent, vec![0x08, 0x01]);
    metadata.commit(schema).await.unwrap();
    metadata
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_of_abandoned_uploads_goes_with_them() {
    needs_server!("orphans::what_was_acknowledged_of_abandoned_uploads_goes_with_them");
    let server = shared().await;
    let (store, metadata, sessions) = (open(&config(&server.endpoint())).await, rows().await, Arc::new(MemorySessions::shared()));
    let engine = || Engine::new(metadata.clone(), Arc::new(store.clone()), sessions.clone(), true);
    let registry: Arc<dyn Registry> = Arc::new(engine());
    let client = Client::new(&registry, "a");
    // In one piece, in parts with more to come, and in pieces.
    for chunks in [&[100_000][..], &[11 << 20], &[100_000, 200_000]] {
        let upload = client.open().await;
        for bytes in chunks {
            client.append(upload, Chunk::of(content(*bytes))).await.unwrap();
        }
    }
    let other = engine();
    assert_eq!(other.reap_saved_uploads(Duration::ZERO).await.unwrap(), 3);
    assert_eq!(places(&store).await.len(), 2);
    // Without a look at the bucket: it is known where they are.
    assert_eq!(other.reap_places([]).await.unwrap(), 2);
    assert_eq!((places(&store).await, store.staged().await.unwrap()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_that_a_killed_process_left_are_removed_and_no_others() {
    needs_server!("orphans::blobs_that_a_killed_process_left_are_removed_and_no_others");
    let server = shared().await;
    let config = config(&server.endpoint());
    let (store, metadata) = (open(&config).await, rows().await);
    let engine = |metadata: Arc<dyn Metadata>, dedupe: bool| {
        Engine::new(metadata, Arc::new(store.clone()), Arc::new(MemorySessions::shared()), dedupe)
    };
    let alive = engine(metadata.clone(), true);
    let registry: Arc<dyn Registry> = Arc::new(alive.clone());
    let client = Client::new(&registry, "a");
    let (kept, left) = (content(11 << 20), content(12 << 20));
    let digest = client.push_blob(kept.clone()).await;
    let before = places(&store).await;

    // In parts, in one piece, and so little that without `dedupe` it is put under the key that the repository has to itself.
    let pushes = [(left.clone(), true), (content(100_000), true), (content(1000), false)].map(|(bytes, dedupe)| {
        let killed: Arc<dyn Registry> = Arc::new(engine(Arc::new(Killed(metadata.clone(), Arc::new(Semaphore::new(0)))), dedupe));
        tokio::spawn(async move { Client::new(&killed, "a").push_blob(bytes).await })
    });
    zot_services::wait::until("the bytes are stored", async || places(&store).await.len() == 4).await;
    pushes.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(places(&store).await.iter().any(|place| place.starts_with("_own/a/")));
    assert_eq!(before.len(), 1);

    // Old ones only: what is young may still get its rows.
    assert_eq!(store.placed(Duration::from_secs(3600), None, 10).await.unwrap(), (Vec::new(), None));
    assert_eq!(alive.reap_places(places(&store).await).await.unwrap(), 0);
    assert_eq!(places(&store).await.len(), 4);
    assert_eq!(alive.reap_places(places(&store).await).await.unwrap(), 3);
    assert_eq!(places(&store).await, before);
    assert_eq!(client.read(&digest).await.unwrap(), kept);
    // And whoever pushes it again has it.
    let digest = client.push_blob(left.clone()).await;
    assert_eq!(client.read(&digest).await.unwrap(), left);
    assert_eq!(store.staged().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_process_was_killed_between_its_bytes_and_their_rows_is_finished_by_another() {
    needs_server!("orphans::an_upload_whose_process_was_killed_between_its_bytes_and_their_rows_is_finished_by_another");
    let server = shared().await;
    let (store, metadata, sessions) = (open(&config(&server.endpoint())).await, rows().await, Arc::new(MemorySessions::shared()));
    let engine = |metadata: Arc<dyn Metadata>| -> Arc<dyn Registry> {
        Arc::new(Engine::new(metadata, Arc::new(store.clone()), sessions.clone(), true))
    };
    // In the session, in one object, in parts; with and without an end that comes last.
    for (first, last) in [(1000, 100_000), (100_000, 0), (100_000, 1000), (11 << 20, 0), (11 << 20, 1000), (100_000, 11 << 20)] {
        let about_to = Arc::new(Semaphore::new(0));
        let killed = Client::new(&engine(Arc::new(Killed(metadata.clone(), about_to.clone()))), "a");
        let bytes = content(first + last);
        let (digest, upload) = (Digest::sha256(&bytes), killed.open().await);
        killed.append(upload, Chunk::of(bytes.slice(..first))).await.unwrap();
        let attempt = Client { cx: killed.cx.clone().attempting(Operation { id: OperationId::new(), again: false }), ..killed };
        let again = Client { cx: attempt.cx.clone().again(), ..Client::new(&engine(metadata.clone()), "a") };
        let end = || Chunk::of(bytes.slice(first..));
        let chunk = end();
        let dying = tokio::spawn(async move { attempt.finish(upload, chunk, &digest).await });
        drop(about_to.acquire().await.unwrap());
        dying.abort();
        again.finish(upload, end(), &digest).await.unwrap_or_else(|error| panic!("{first} and {last} bytes: {error:?}"));
        assert_eq!(again.read(&digest).await.unwrap(), bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_parts_are_gone_is_over_for_everybody() {
    needs_server!("orphans::an_upload_whose_parts_are_gone_is_over_for_everybody");
    let server = shared().await;
    let (store, sessions) = (open(&config(&server.endpoint())).await, Arc::new(MemorySessions::shared()));
    let metadata = rows().await;
    let client = || {
        let engine: Arc<dyn Registry> = Arc::new(Engine::new(metadata.clone(), Arc::new(store.clone()), sessions.clone(), true));
        Client::new(&engine, "a")
    };
    let [one, two] = [client(), client()];
    let upload = one.open().await;
    one.append(upload, Chunk::of(content(11 << 20))).await.unwrap();
    let saved = sessions.load(upload).await.unwrap().unwrap();
    store.discard(upload, &saved.stage_state).await.unwrap();
    // It could be told 404 at once; that it can be tried again is soon put right.
    assert!(one.append(upload, Chunk::of(content(11 << 20))).await.is_err());
    for client in [one, two] {
        let over = client.append(upload, Chunk::of(content(1000))).await;
        assert!(matches!(over, Err(Error::UploadUnknown { .. })), "{over:?}");
    }
}
