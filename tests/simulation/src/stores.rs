//! The stores that all nodes share, and one node's way to them: slow, at times cut off, and now and then without an answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::executor::block_on;
use parking_lot::Mutex;
use tokio::time::sleep;
use zot_contract::UploadId;
use zot_oci::ByteRange;
use zot_storage::{
    BlobAddress, BlobKey, Engine, Error, Result, WallClock,
    blobs::{BlobStore, MemoryBlobs, Opened, Pieces, Staged, Staging},
    metadata::{Change, Cursor, Expect, Key, Kind, MemoryMetadata, Metadata, Outcome, Row, Scan, Transaction, Write},
    sessions::{MemorySessions, SessionRecord, Sessions},
};

use crate::random::Random;

/// One call of so many fails before it is made, and one after.
const FAILS_ONE_OF: u64 = 60;
/// One change of so many is forgotten where that promise is broken.
const FORGETS_ONE_OF: u64 = 10;
/// One change of so many that speak of new bytes or of a tag is made late.
const DAWDLES_ONE_OF: u64 = 8;
/// How long a node that is cut off waits for a store.
const GIVES_UP_AFTER: Duration = Duration::from_secs(1);

/// A promise of the stores that is broken on purpose, to see that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// Rows are acknowledged, and some are never written.
    Rows,
    /// Sessions are acknowledged, and some are never saved.
    Sessions,
    /// Changes are made although a mark forbids them: bytes that were condemned are spoken of.
    Marks,
}

impl Broken {
    pub(crate) const ALL: [Self; 4] = [Self::Nothing, Self::Rows, Self::Sessions, Self::Marks];
}

/// The stores.
#[derive(Debug, Clone)]
pub(crate) struct Stores {
    metadata: Arc<MemoryMetadata>,
    blobs: Arc<MemoryBlobs>,
    sessions: Arc<Mutex<Arc<MemorySessions>>>,
    /// How often sessions were emptied or could not be saved: the bytes of an upload are then in the memory of one node alone, which is said
    /// to go on nevertheless.
    pub(crate) unsaved: Arc<AtomicU64>,
    broken: Broken,
}

/// A node's way to the stores; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    random: Random,
    cut: Arc<AtomicBool>,
    /// Whether calls fail now and then.
    rough: Arc<AtomicBool>,
}

impl Stores {
    pub(crate) fn new(broken: Broken) -> Self {
        let sessions = Arc::new(Mutex::new(Arc::new(MemorySessions::shared())));
        let metadata = Arc::<MemoryMetadata>::default();
        // There was nothing to be read from image layouts: only complete rows tell what bytes nobody needs.
        let mut complete = Transaction::new();
        complete.put(Key::Schema, Expect::Absent, vec![0x08, 0x01]);
        block_on(metadata.commit(complete)).unwrap();
        Self { metadata, blobs: Arc::new(MemoryBlobs::remote()), sessions, unsaved: Arc::default(), broken }
    }

    fn sessions(&self) -> Arc<MemorySessions> {
        self.sessions.lock().clone()
    }

    /// Forgets all uploads.
    pub(crate) fn empty_sessions(&self) {
        self.unsaved.fetch_add(1, Ordering::Relaxed);
        *self.sessions.lock() = Arc::new(MemorySessions::shared());
    }

    /// An engine that reaches them by a way, in a process whose clock shows some time of day.
    pub(crate) fn engine(&self, way: &Way, wall: WallClock) -> Engine {
        let far = |way: &Way| Far { stores: self.clone(), way: way.clone() };
        Engine::new(Arc::new(far(way)), Arc::new(far(way)), Arc::new(far(way)), true).with_wall_clock(wall)
    }

    /// Where larger blobs lie, those that no row speaks of too.
    pub(crate) fn places(&self) -> Vec<String> {
        self.blobs.places()
    }
}

impl Way {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, cut: Arc::default(), rough: Arc::new(AtomicBool::new(true)) }
    }

    pub(crate) fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }

    pub(crate) fn smooth(&self) {
        self.rough.store(false, Ordering::Relaxed);
    }

    /// Makes a call of a store, and takes its answer back.
    async fn call<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.pass().await?;
        let answer = call.await;
        self.pass().await?;
        answer
    }

    async fn pass(&self) -> Result<()> {
        self.reach().await?;
        if self.rough.load(Ordering::Relaxed) && self.random.once_in(FAILS_ONE_OF) {
            return Err(Error::remote("reach the store", "nothing came back"));
        }
        Ok(())
    }

    /// Stays away for a while now and then, as a process that is stopped between its bytes and the rows that speak of them, or between what it was
    /// asked and its answer.
    async fn dawdle(&self) {
        if self.rough.load(Ordering::Relaxed) && self.random.once_in(DAWDLES_ONE_OF) {
            sleep(self.random.milliseconds(200..5000)).await;
        }
    }

    async fn reach(&self) -> Result<()> {
        sleep(self.random.milliseconds(1..5)).await;
        if self.cut.load(Ordering::Relaxed) {
            sleep(GIVES_UP_AFTER).await;
            return Err(Error::remote("reach the store", "it is cut off"));
        }
        Ok(())
    }
}

/// The stores, as one node reaches them.
#[derive(Debug)]
struct Far {
    stores: Stores,
    way: Way,
}

#[async_trait::async_trait]
impl Metadata for Far {
    async fn get(&self, key: &Key) -> Result<Option<Row>> {
        self.way.call(self.stores.metadata.get(key)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>> {
        self.way.call(self.stores.metadata.get_many(keys)).await
    }

    async fn scan(&self, scan: &Scan, limit: usize) -> Result<Vec<(Key, Row)>> {
        self.way.call(self.stores.metadata.scan(scan, limit)).await
    }

    async fn walk(&self, kind: Kind, after: Option<&Cursor>) -> Result<(Vec<(Key, Row)>, Option<Cursor>)> {
        self.way.call(self.stores.metadata.walk(kind, after)).await
    }

    fn changes_max(&self) -> usize {
        self.stores.metadata.changes_max()
    }

    async fn commit(&self, mut transaction: Transaction) -> Result<Outcome> {
        if self.is_forgotten(Broken::Rows) {
            return Ok(Outcome::Committed);
        }
        if transaction.changes.iter().any(|change| needs_no_mark(change) || matches!(change.key, Key::Tag(..))) {
            self.way.dawdle().await;
            if self.stores.broken == Broken::Marks {
                transaction.changes.retain(|change| !needs_no_mark(change));
            }
        }
        self.way.call(self.stores.metadata.commit(transaction)).await
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Whether a change is none if bytes were not condemned, and impossible if they were.
fn needs_no_mark(change: &Change) -> bool {
    matches!((&change.key, change.expect, &change.write), (Key::Condemned(_), Expect::Absent, Write::Delete))
}

#[async_trait::async_trait]
impl Sessions for Far {
    async fn save(&self, upload: UploadId, session: &SessionRecord, previous: Option<u64>) -> Result<Outcome> {
        if self.is_forgotten(Broken::Sessions) {
            return Ok(Outcome::Committed);
        }
        let saved = match self.way.reach().await {
            Ok(()) => self.stores.sessions().save(upload, session, previous).await,
            Err(error) => Err(error),
        };
        if saved.is_err() {
            self.stores.unsaved.fetch_add(1, Ordering::Relaxed);
        }
        saved
    }

    async fn load(&self, upload: UploadId) -> Result<Option<SessionRecord>> {
        self.way.call(async { self.stores.sessions().load(upload).await }).await
    }

    async fn remove(&self, upload: UploadId) -> Result<()> {
        self.way.call(async { self.stores.sessions().remove(upload).await }).await
    }

    async fn list(&self) -> Result<Vec<(UploadId, SystemTime)>> {
        self.way.call(async { self.stores.sessions().list().await }).await
    }

    fn shared(&self) -> bool {
        true
    }
}

impl Far {
    /// Whether something is acknowledged now that is not done.
    fn is_forgotten(&self, promise: Broken) -> bool {
        self.stores.broken == promise && self.way.random.once_in(FORGETS_ONE_OF)
    }

    fn staged(&self, inner: Box<dyn Staged>) -> Box<dyn Staged> {
        Box::new(FarStaged { inner, way: self.way.clone() })
    }
}

#[async_trait::async_trait]
impl BlobStore for Far {
    fn staging(&self) -> Staging {
        self.stores.blobs.staging()
    }

    async fn stage(&self, upload: UploadId) -> Result<Box<dyn Staged>> {
        Ok(self.staged(self.way.call(self.stores.blobs.stage(upload)).await?))
    }

    async fn resume(&self, upload: UploadId, size: u64, state: &[u8]) -> Result<Option<Box<dyn Staged>>> {
        let resumed = self.way.call(self.stores.blobs.resume(upload, size, state)).await?;
        Ok(resumed.map(|inner| self.staged(inner)))
    }

    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()> {
        self.way.call(self.stores.blobs.put(key, bytes)).await
    }

    async fn read(&self, at: &BlobAddress, size: u64, range: ByteRange) -> Result<Opened> {
        self.way.call(self.stores.blobs.read(at, size, range)).await
    }

    async fn size(&self, at: &BlobAddress) -> Result<Option<u64>> {
        self.way.call(self.stores.blobs.size(at)).await
    }

    async fn delete(&self, at: &BlobAddress) -> Result<()> {
        self.way.call(self.stores.blobs.delete(at)).await
    }

    async fn staged(&self) -> Result<Vec<UploadId>> {
        self.way.call(self.stores.blobs.staged()).await
    }

    async fn discard(&self, upload: UploadId, state: &[u8]) -> Result<Vec<String>> {
        self.way.call(self.stores.blobs.discard(upload, state)).await
    }
}

/// Staged bytes, as one node reaches them.
#[derive(Debug)]
struct FarStaged {
    inner: Box<dyn Staged>,
    way: Way,
}

#[async_trait::async_trait]
impl Staged for FarStaged {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        self.way.call(self.inner.write(pieces)).await
    }

    async fn flush(&mut self) -> Result<()> {
        self.way.call(self.inner.flush()).await
    }

    async fn truncate(&mut self, size: u64) -> Result<()> {
        self.way.call(self.inner.truncate(size)).await
    }

    async fn read_back(&mut self) -> Result<Pieces> {
        self.way.call(self.inner.read_back()).await
    }

    fn state(&self) -> Bytes {
        self.inner.state()
    }

    async fn commit(&mut self, key: &BlobKey) -> Result<String> {
        self.way.call(self.inner.commit(key)).await
    }

    fn finish(&mut self) {
        self.inner.finish();
    }

    async fn discard(&mut self) -> Result<()> {
        self.way.call(self.inner.discard()).await
    }
}
