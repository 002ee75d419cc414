//! The uploads that this process works on.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};
use zot_contract::{Context, Subject, UploadId};
use zot_oci::RepositoryName;

use super::content::Content;

/// The most uploads open at a time; each costs some hundred bytes of memory until it ends or expires, and up to 16 KiB of content.
pub(super) const UPLOADS_OPEN_MAX: usize = 65_536;

/// The open uploads by their identifier.
#[derive(Debug, Default)]
pub(super) struct OpenUploads {
    open: Mutex<HashMap<UploadId, Arc<Upload>>>,
    /// Held while a saved upload is taken up, so that this happens once.
    pub(super) resuming: AsyncMutex<()>,
}

/// An open upload.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) id: UploadId,
    pub(super) repository: RepositoryName,
    pub(super) subject: Subject,
    /// The number of bytes acknowledged.
    acknowledged: AtomicU64,
    /// The revision that the sessions store has of it, 0 for none.
    revision: AtomicU64,
    touched: Mutex<Instant>,
    /// Nothing once the upload has ended.
    content: AsyncMutex<Option<Content>>,
}

impl Upload {
    pub(super) fn new(id: UploadId, repository: &RepositoryName, subject: Subject, content: Content, revision: Option<u64>) -> Self {
        Self {
            id,
            repository: repository.clone(),
            subject,
            acknowledged: AtomicU64::new(content.offset()),
            revision: AtomicU64::new(revision.unwrap_or(0)),
            touched: Mutex::new(Instant::now()),
            content: AsyncMutex::new(Some(content)),
        }
    }

    pub(super) fn belongs_to(&self, cx: &Context, repository: &RepositoryName) -> bool {
        self.repository == *repository && self.subject == cx.subject
    }

    /// The revision that the sessions store has of it, if it has any.
    pub(super) fn revision(&self) -> Option<u64> {
        Some(self.revision.load(Ordering::Acquire)).filter(|revision| *revision > 0)
    }

    pub(super) fn saved(&self, revision: u64) {
        self.revision.store(revision, Ordering::Release);
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Acknowledges bytes, and counts as activity.
    pub(super) fn acknowledge(&self, offset: u64) {
        self.acknowledged.store(offset, Ordering::Release);
        *self.touched.lock() = Instant::now();
    }

    fn idle(&self) -> Duration {
        self.touched.lock().elapsed()
    }

    /// The content, unless somebody else has it.
    pub(super) fn content(&self) -> Option<MutexGuard<'_, Option<Content>>> {
        self.content.try_lock().ok()
    }
}

impl OpenUploads {
    /// Adds an upload, unless there are too many.
    pub(super) fn add(&self, upload: Upload) -> Option<Arc<Upload>> {
        let mut open = self.open.lock();
        if open.len() >= UPLOADS_OPEN_MAX {
            return None;
        }
        let upload = Arc::new(upload);
        open.insert(upload.id, upload.clone());
        Some(upload)
    }

    pub(super) fn get(&self, id: UploadId) -> Option<Arc<Upload>> {
        self.open.lock().get(&id).cloned()
    }

    pub(super) fn remove(&self, id: UploadId) {
        self.open.lock().remove(&id);
    }

    pub(super) fn all(&self) -> Vec<Arc<Upload>> {
        self.open.lock().values().cloned().collect()
    }

    /// Those that nobody has written to for `idle`.
    pub(super) fn idle(&self, idle: Duration) -> Vec<Arc<Upload>> {
        self.open.lock().values().filter(|upload| upload.idle() >= idle).cloned().collect()
    }
}
