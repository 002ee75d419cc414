//! Stores that fail, lose everything, or let something happen before a change.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use zot_contract::UploadId;
use zot_storage::{
    Error, Result,
    metadata::{Cursor, Key, Kind, Metadata, Outcome, Row, Scan, Transaction},
    sessions::{MemorySessions, SessionRecord, Sessions},
};

/// Sessions that can be out of reach, and can be lost.
#[derive(Debug)]
pub(crate) struct FaultySessions {
    sessions: Mutex<Arc<MemorySessions>>,
    pub(crate) lost: AtomicBool,
}

impl Default for FaultySessions {
    fn default() -> Self {
        Self { sessions: Mutex::new(Arc::new(MemorySessions::shared())), lost: AtomicBool::new(false) }
    }
}

impl FaultySessions {
    fn reach(&self) -> Result<Arc<MemorySessions>> {
        if self.lost.load(Ordering::Acquire) {
            Err(Error::remote("reach the sessions", "no route"))
        } else {
            Ok(self.sessions.lock().clone())
        }
    }

    pub(crate) fn set_lost(&self, lost: bool) {
        self.lost.store(lost, Ordering::Release);
    }

    /// Forgets every session.
    pub(crate) fn flush(&self) {
        *self.sessions.lock() = Arc::new(MemorySessions::shared());
    }
}

#[async_trait::async_trait]
impl Sessions for FaultySessions {
    async fn save(&self, upload: UploadId, session: &SessionRecord, previous: Option<u64>) -> Result<Outcome> {
        self.reach()?.save(upload, session, previous).await
    }

    async fn load(&self, upload: UploadId) -> Result<Option<SessionRecord>> {
        self.reach()?.load(upload).await
    }

    async fn remove(&self, upload: UploadId) -> Result<()> {
        self.reach()?.remove(upload).await
    }

    async fn list(&self) -> Result<Vec<(UploadId, SystemTime)>> {
        self.reach()?.list().await
    }

    fn shared(&self) -> bool {
        true
    }
}

/// What happens instead of a commit, or before it if it succeeds.
pub(crate) type Event = Box<dyn FnOnce() -> BoxFuture<'static, Result<()>> + Send>;

/// Metadata of which one commit is preceded by an event.
pub(crate) struct EventfulMetadata {
    metadata: Arc<dyn Metadata>,
    commits: AtomicUsize,
    event: Mutex<Option<(usize, Event)>>,
    contended: bool,
}

impl EventfulMetadata {
    /// Lets `event` happen before the commit of this number, from 0.
    pub(crate) fn new(metadata: &Arc<dyn Metadata>, number: usize, event: Event) -> Self {
        Self { metadata: metadata.clone(), commits: AtomicUsize::new(0), event: Mutex::new(Some((number, event))), contended: false }
    }

    /// Every commit comes too late.
    pub(crate) fn contended(metadata: &Arc<dyn Metadata>) -> Self {
        Self { metadata: metadata.clone(), commits: AtomicUsize::new(0), event: Mutex::default(), contended: true }
    }

    /// Whether the event has happened.
    pub(crate) fn happened(&self) -> bool {
        self.event.lock().is_none()
    }

    fn event(&self) -> Option<Event> {
        let commit = self.commits.fetch_add(1, Ordering::AcqRel);
        self.event.lock().take_if(|(number, _)| *number == commit).map(|(_, event)| event)
    }
}

impl std::fmt::Debug for EventfulMetadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventfulMetadata").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Metadata for EventfulMetadata {
    async fn get(&self, key: &Key) -> Result<Option<Row>> {
        self.metadata.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>> {
        self.metadata.get_many(keys).await
    }

    async fn scan(&self, scan: &Scan, limit: usize) -> Result<Vec<(Key, Row)>> {
        self.metadata.scan(scan, limit).await
    }

    async fn walk(&self, kind: Kind, after: Option<&Cursor>) -> Result<(Vec<(Key, Row)>, Option<Cursor>)> {
        self.metadata.walk(kind, after).await
    }

    fn changes_max(&self) -> usize {
        self.metadata.changes_max()
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome> {
        if let Some(event) = self.event() {
            event().await?;
        }
        if self.contended {
            return Ok(Outcome::Conflict);
        }
        self.metadata.commit(transaction).await
    }

    async fn close(&self) -> Result<()> {
        self.metadata.close().await
    }
}
