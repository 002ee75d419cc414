//! The engine: a [`zot_contract::Registry`] over the ports. Every rule about images is here, and written once.

mod attempts;
mod blobs;
mod body;
mod catalog;
mod content;
mod handover;
mod hashing;
mod left_uploads;
mod manifests;
mod open_uploads;
mod operations;
mod places;
mod publish;
#[cfg(test)]
mod tests;
mod uploads;
mod users;

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use crate::{
    Result, WallClock,
    blobs::{BlobStore, MemoryBlobs},
    metadata::{MemoryMetadata, Metadata},
    projection::Projector,
    sessions::{MemorySessions, Sessions},
};
use attempts::Attempts;
pub(crate) use manifests::PushRows;
use open_uploads::OpenUploads;

/// The most bytes of a blob or manifest that are kept in its metadata row instead of the blob store.
///
/// A row is read in microseconds and made durable together with everybody else's; a file costs two `fsync` of its own.
pub(crate) const INLINE_BYTES_MAX: usize = 16 << 10;

/// A registry over a store of bytes, a store of rows and a store of upload sessions.
///
/// A clone is another handle on the same registry.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) metadata: Arc<dyn Metadata>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    sessions: Arc<dyn Sessions>,
    uploads: Arc<OpenUploads>,
    projector: Option<Arc<Projector>>,
    dedupe: bool,
    /// For how long links to blobs are good that are given to whoever wants them; none are given otherwise.
    links_valid_for: Option<Duration>,
    wall: WallClock,
}

impl Engine {
    /// An engine over the given stores. With `dedupe`, repositories share the bytes of blobs they both have.
    pub fn new(metadata: Arc<dyn Metadata>, blobs: Arc<dyn BlobStore>, sessions: Arc<dyn Sessions>, dedupe: bool) -> Self {
        Self {
            metadata,
            blobs,
            sessions,
            uploads: Arc::default(),
            projector: None,
            dedupe,
            links_valid_for: None,
            wall: WallClock::default(),
        }
    }

    /// An engine that forgets everything when it is dropped.
    pub fn in_memory() -> Self {
        Self::new(Arc::<MemoryMetadata>::default(), Arc::<MemoryBlobs>::default(), Arc::<MemorySessions>::default(), true)
    }

    /// The same, which sends whoever wants a whole blob to the blob store itself where that can be, with links that are good for a time.
    #[must_use]
    pub fn with_links(self, valid_for: Option<Duration>) -> Self {
        Self { links_valid_for: valid_for, ..self }
    }

    /// The same, which takes the time of day from a clock.
    #[must_use]
    pub fn with_wall_clock(self, wall: WallClock) -> Self {
        Self { wall, ..self }
    }

    /// Keeps image layouts current with what the engine stores.
    pub(crate) fn with_projector(self, projector: Arc<Projector>) -> Self {
        Self { projector: Some(projector), ..self }
    }

    /// Lets go of uploads that this process has in memory and nobody has written to for `idle`. Returns how many are over. To be called in every
    /// process, several times within `idle`: it also tells the others which uploads are being written to here.
    pub async fn reap_open_uploads(&self, idle: Duration) -> Result<usize> {
        handover::reap_open(self, idle).await
    }

    /// Ends saved uploads that nobody has written to for `idle`, in any process, and drops their bytes. Returns how many. One of the processes
    /// that share the stores is enough.
    pub async fn reap_saved_uploads(&self, idle: Duration) -> Result<usize> {
        handover::reap_saved(self, idle).await
    }

    /// Brings image layouts up to date with all acknowledged changes.
    pub async fn project(&self) -> Result<()> {
        match &self.projector {
            Some(projector) => projector.project_all().await,
            None => Ok(()),
        }
    }

    /// Keeps image layouts current, for as long as the future is polled.
    pub async fn keep_projecting(&self) {
        match &self.projector {
            Some(projector) => projector.run().await,
            None => std::future::pending().await,
        }
    }

    /// Saves what is only in memory, brings image layouts up to date and releases the stores, each as far as that is possible `within` a time.
    /// The next start does the rest. Nothing may be called afterwards.
    pub async fn close(&self, within: Duration) -> Result<()> {
        let begun = Instant::now();
        // Each step has until so much of the time is over: none takes what is meant for those after it.
        let until = |hundredths| (within / 100 * hundredths).saturating_sub(begun.elapsed());
        let saved = in_time(until(30), handover::save_all(self)).await;
        // One step that fails keeps no other from being done.
        let projected = timeout(until(80), self.project()).await.unwrap_or(Ok(()));
        let closed = in_time(until(100), self.metadata.close()).await;
        saved.and(projected).and(closed)
    }

    /// Lets the projector know that a layout has to change.
    fn layout_changed(&self) {
        if let Some(projector) = &self.projector {
            projector.wake();
        }
    }
}

/// Does not wait any longer than that: a disk that hangs may never answer.
async fn in_time(within: Duration, step: impl Future<Output = Result<()>>) -> Result<()> {
    timeout(within, step).await.unwrap_or_else(|late| Err(crate::Error::Interrupted(late.into())))
}
