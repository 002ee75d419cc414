//! Keeps every repository's OCI image layout on disk current with the rows, a moment behind them.
//!
//! A push leaves a mark ([`crate::metadata::Key::Unprojected`]) in its own transaction; the projector turns marks into hard links and a new
//! `index.json`, then removes them. So a crash loses no change, and many pushes to one repository share one rewrite of its index.

mod change;
mod directory;
mod index;
mod round;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, Notify};
use zot_oci::Digest;

use crate::{BlobAddress, Result, blobs::BlobStore, error::chain, metadata::Metadata};
pub(crate) use directory::LayoutDirectory;
pub(crate) use index::{FoundIndex, Index, REFERENCE_NAME};
use round::{Left, Round};

/// The shortest pause between two rounds, in which changes gather.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// A pause is this many times as long as the round before it took, so that rewriting large indexes uses a bounded share of one core.
const PAUSE_FACTOR: u32 = 20;

/// The longest pause, so that layouts are never further behind.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The pause after a round that failed.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);

/// Turns marks into image layouts.
#[derive(Debug)]
pub(crate) struct Projector {
    metadata: Arc<dyn Metadata>,
    blobs: Arc<dyn BlobStore>,
    directory: LayoutDirectory,
    changed: Notify,
    /// Held for a round, so that there is one at a time.
    round: Mutex<()>,
}

/// A file of a layout.
pub(crate) enum Content {
    Linked(Digest, BlobAddress),
    Written(Digest, bytes::Bytes),
}

impl Content {
    fn digest(&self) -> &Digest {
        match self {
            Self::Linked(digest, _) | Self::Written(digest, _) => digest,
        }
    }
}

impl Projector {
    pub(crate) fn new(metadata: Arc<dyn Metadata>, blobs: Arc<dyn BlobStore>, directory: LayoutDirectory) -> Self {
        Self { metadata, blobs, directory, changed: Notify::new(), round: Mutex::new(()) }
    }

    /// Tells that there are new marks.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Works until the future is dropped.
    pub(crate) async fn run(&self) {
        // Marks of an earlier process come first.
        self.wake();
        loop {
            self.changed.notified().await;
            let start = Instant::now();
            let pause = match self.project_some().await {
                Ok(Left::Nothing) => (start.elapsed() * PAUSE_FACTOR).clamp(PAUSE_MIN, PAUSE_MAX),
                Ok(Left::Some) => {
                    self.wake();
                    Duration::ZERO
                }
                Err(error) => {
                    tracing::error!(error = %chain(&error), "could not bring image layouts up to date, trying again");
                    self.wake();
                    PAUSE_AFTER_ERROR
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Works until there are no marks.
    pub(crate) async fn project_all(&self) -> Result<()> {
        while self.project_some().await? == Left::Some {}
        Ok(())
    }

    async fn project_some(&self) -> Result<Left> {
        let _one = self.round.lock().await;
        Round::new(self).run().await
    }
}
