//! Keeps every repository's OCI image layout current with the rows, a moment behind them.
//!
//! A push leaves a mark ([`crate::metadata::Key::Unprojected`]) in its own transaction; the projector turns marks into content of the layout and
//! a new `index.json`, then removes them. So a crash loses no change, and many pushes to one repository share one rewrite of its index.
//!
//! Where several processes share the stores, two of them may project one repository at the same time, when its owner changes. A mark is removed
//! in the version that was read *before* the rows were, so that a mark of a change that a projector did not see stays. But a slow projector may
//! write what it read long ago over what a faster one wrote since and removed the marks for. So whoever has written reads the rows again, and
//! leaves a new mark if they say something else by now: whoever writes last has either written what the rows still said afterwards, or left a
//! mark for another write. (Only a process that dies between the two, after it was that slow, leaves an old index, until the repository's next change. It
//! would take the loss of all rows before that for anybody to notice.)

mod change;
mod index;
mod round;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, Notify};
use zot_oci::RepositoryName;

use crate::{Result, blobs::BlobStore, error::chain, layouts::Layouts, metadata::Metadata};
use index::Index;
pub(crate) use index::{FoundIndex, REFERENCE_NAME};
use round::{Left, Round};

/// The shortest pause between two rounds, in which changes gather.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// A pause is this many times as long as the round before it took, so that rewriting large indexes uses a bounded share of one core.
const PAUSE_FACTOR: u32 = 20;

/// The longest pause, so that layouts are never further behind.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How often marks are looked for that other processes left, where several share the stores.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The pause after a round that failed.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);

/// Says which repositories a process projects, where several share the stores.
pub type Mine = Arc<dyn Fn(&RepositoryName) -> bool + Send + Sync>;

/// Turns marks into image layouts.
pub(crate) struct Projector {
    metadata: Arc<dyn Metadata>,
    blobs: Arc<dyn BlobStore>,
    layouts: Arc<dyn Layouts>,
    /// Nothing if no other process projects.
    mine: Option<Mine>,
    changed: Notify,
    /// Held for a round, so that there is one at a time.
    round: Mutex<()>,
}

impl fmt::Debug for Projector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projector").field("layouts", &self.layouts).finish_non_exhaustive()
    }
}

impl Projector {
    pub(crate) fn new(metadata: Arc<dyn Metadata>, blobs: Arc<dyn BlobStore>, layouts: Arc<dyn Layouts>, mine: Option<Mine>) -> Self {
        Self { metadata, blobs, layouts, mine, changed: Notify::new(), round: Mutex::new(()) }
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
            self.wait().await;
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

    /// Waits for marks.
    async fn wait(&self) {
        let changed = self.changed.notified();
        match self.mine {
            // It may as well be time to look for those of a process that died.
            Some(_) => drop(tokio::time::timeout(LOOK_EVERY, changed).await),
            None => changed.await,
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
