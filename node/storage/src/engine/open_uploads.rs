//! The uploads that this process works on.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};
use zot_contract::{Context, Subject, UploadId};
use zot_oci::RepositoryName;

use super::{
    content::Content,
    left_uploads::{LeftUpload, LeftUploads, UPLOADS_LEFT_MAX},
};

/// The most uploads open at a time; each costs some hundred bytes of memory until it ends or expires, and up to 16 KiB of content.
pub(super) const UPLOADS_OPEN_MAX: usize = 65_536;

/// The share of them that leaves at a time when there is no room, so that the oldest are not looked for at each opening.
const LEAVING_SHARE: usize = 16;

/// The most uploads that are taken up at a time.
const RESUMING_MAX: usize = 64;

/// The open uploads by their identifier.
#[derive(Debug)]
pub(super) struct OpenUploads {
    open: Mutex<HashMap<UploadId, Arc<Upload>>>,
    left: Mutex<LeftUploads>,
    open_max: usize,
    /// Each held while one of some saved uploads is taken up, so that this happens once.
    resuming: [AsyncMutex<()>; RESUMING_MAX],
    /// Whether the sessions store was out of reach the last time.
    sessions_lost: AtomicBool,
}

impl Default for OpenUploads {
    fn default() -> Self {
        Self::limited(UPLOADS_OPEN_MAX, UPLOADS_LEFT_MAX)
    }
}

/// An upload that was added, and those that must be given up because there is no room for them even outside of the memory.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) upload: Arc<Upload>,
    pub(super) given_up: Vec<LeftUpload>,
}

/// Uploads that need not stay in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Leaving {
    /// It has no bytes: its client has to open another.
    Empty,
    /// Its session has all of it, from which it is taken up again.
    Saved,
}

/// An open upload.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) id: UploadId,
    pub(super) repository: RepositoryName,
    pub(super) subject: Subject,
    /// The number of bytes acknowledged.
    acknowledged: AtomicU64,
    stored: Mutex<Stored>,
    touched: Mutex<Instant>,
    /// Nothing once the upload has ended.
    content: AsyncMutex<Option<Content>>,
}

/// What the sessions store has of an upload, as far as this process knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    /// The revision, if anything was saved.
    pub(super) revision: Option<u64>,
    /// The revision that could not be saved, or was saved without an answer. What this process has since then is in its memory alone.
    pub(super) attempted: Option<u64>,
}

impl Stored {
    /// Whether the sessions store lacks something that this process has.
    pub(super) fn is_behind(self) -> bool {
        self.revision.is_none() || self.attempted.is_some()
    }
}

impl Upload {
    pub(super) fn new(id: UploadId, repository: &RepositoryName, subject: Subject, content: Content, revision: Option<u64>) -> Self {
        Self {
            id,
            repository: repository.clone(),
            subject,
            acknowledged: AtomicU64::new(content.offset()),
            stored: Mutex::new(Stored { revision, attempted: None }),
            touched: Mutex::new(Instant::now()),
            content: AsyncMutex::new(Some(content)),
        }
    }

    pub(super) fn belongs_to(&self, cx: &Context, repository: &RepositoryName) -> bool {
        self.repository == *repository && self.subject == cx.subject
    }

    pub(super) fn stored(&self) -> Stored {
        *self.stored.lock()
    }

    pub(super) fn set_stored(&self, stored: Stored) {
        *self.stored.lock() = stored;
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

    /// Whether nothing that was acknowledged is lost if it leaves the memory.
    fn leaving(&self) -> Option<Leaving> {
        let content = self.content()?;
        match content.as_ref() {
            Some(content) if content.is_empty() => Some(Leaving::Empty),
            // No session tells where its bytes are.
            Some(content) if content.is_placed() => None,
            _ => (!self.stored().is_behind()).then_some(Leaving::Saved),
        }
    }

    /// The content, unless somebody else has it.
    pub(super) fn content(&self) -> Option<MutexGuard<'_, Option<Content>>> {
        self.content.try_lock().ok()
    }
}

impl OpenUploads {
    /// Room for so many uploads in memory, and for so many that left it.
    pub(super) fn limited(open_max: usize, left_max: usize) -> Self {
        Self {
            open: Mutex::default(),
            left: Mutex::new(LeftUploads::limited(left_max)),
            open_max,
            resuming: std::array::from_fn(|_| AsyncMutex::default()),
            sessions_lost: AtomicBool::default(),
        }
    }

    /// Adds an upload. Where there are too many, others leave that nobody works on; nothing if all must stay.
    pub(super) fn add(&self, upload: Upload) -> Option<Added> {
        let mut open = self.open.lock();
        let given_up = if open.len() < self.open_max { Vec::new() } else { self.leave(make_room(&mut open, self.open_max)?) };
        let upload = Arc::new(upload);
        open.insert(upload.id, upload.clone());
        Some(Added { upload, given_up })
    }

    /// Notes which uploads left. Returns those that are over and have sessions: the ones without bytes, and the oldest of too many others.
    fn leave(&self, leaving: Vec<(Leaving, LeftUpload)>) -> Vec<LeftUpload> {
        let mut left = self.left.lock();
        let over = |(kind, upload)| match kind {
            Leaving::Empty => Some(upload),
            Leaving::Saved => left.add(upload),
        };
        leaving.into_iter().filter_map(over).collect()
    }

    /// Waits until nobody else takes this upload up.
    pub(super) async fn resuming(&self, id: UploadId) -> MutexGuard<'_, ()> {
        let mut hasher = std::hash::DefaultHasher::new();
        id.hash(&mut hasher);
        let [first, ..] = &self.resuming;
        self.resuming.get(hasher.finish() as usize % RESUMING_MAX).unwrap_or(first).lock().await
    }

    /// Notes whether the sessions store could be reached, and tells so once.
    pub(super) fn sessions_reached(&self, failure: Option<&crate::Error>) {
        match (self.sessions_lost.swap(failure.is_some(), Ordering::AcqRel), failure) {
            (false, Some(error)) => {
                let error = crate::error::chain(error);
                tracing::warn!(error, "upload sessions are out of reach, uploads go on in the memory of this process");
            }
            (true, None) => tracing::info!("upload sessions are within reach again"),
            _ => {}
        }
    }

    pub(super) fn get(&self, id: UploadId) -> Option<Arc<Upload>> {
        self.open.lock().get(&id).cloned()
    }

    /// Removes an upload, unless it has been taken up anew since.
    pub(super) fn remove(&self, upload: &Upload) {
        let mut open = self.open.lock();
        if open.get(&upload.id).is_some_and(|open| std::ptr::eq(open.as_ref(), upload)) {
            open.remove(&upload.id);
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Upload>> {
        self.open.lock().values().cloned().collect()
    }

    /// Those that nobody has written to for `idle`.
    pub(super) fn idle(&self, idle: Duration) -> Vec<Arc<Upload>> {
        self.open.lock().values().filter(|upload| upload.idle() >= idle).cloned().collect()
    }
}

/// Lets a share of the uploads go that nobody works on: those without bytes first, and of each kind those that have been idle for longest. Returns
/// those of them that have sessions; nothing if all must stay.
fn make_room(open: &mut HashMap<UploadId, Arc<Upload>>, open_max: usize) -> Option<Vec<(Leaving, LeftUpload)>> {
    // Whoever works on one holds it, and got it under the lock that is held here.
    let unused = open.values().filter(|upload| Arc::strong_count(upload) == 1);
    let mut leaving: Vec<(Leaving, Instant, UploadId)> =
        unused.filter_map(|upload| Some((upload.leaving()?, *upload.touched.lock(), upload.id))).collect();
    if leaving.is_empty() {
        return None;
    }
    leaving.sort_unstable_by_key(|(kind, touched, _)| (*kind, *touched));
    leaving.truncate(open_max.div_ceil(LEAVING_SHARE));
    let empty = leaving.iter().filter(|(kind, ..)| *kind == Leaving::Empty).count();
    let saved = leaving.len() - empty;
    tracing::warn!(empty, saved, "too many uploads are open, the oldest without bytes are over and others leave the memory");
    let left = leaving.into_iter().filter_map(|(kind, _, id)| {
        let revision = open.remove(&id)?.stored().revision?;
        Some((kind, LeftUpload { id, revision }))
    });
    Some(left.collect())
}
