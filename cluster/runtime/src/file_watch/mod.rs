//! Files that are read again when they change: rewritten in place, renamed over, or behind a link that is swapped.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::fingerprint::Fingerprint;

/// How often files are looked at. Polled rather than subscribed to: that works on every file system, and nothing can be missed when a folder
/// or a link is replaced.
pub const RELOAD_POLL: Duration = Duration::from_secs(1);

/// Tells when some files, that belong together, have changed since they were last read.
#[derive(Debug)]
pub struct FileWatch {
    paths: Vec<PathBuf>,
    /// Of the files last tried, usable or not.
    tried: Mutex<Fingerprint>,
}

impl FileWatch {
    /// Watches these files, which are about to be read: one that changes meanwhile differs at the next look.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let tried = Mutex::new(state_of(&paths));
        Self { paths, tried }
    }

    /// Notes that the files are about to be read, changed or not.
    pub fn trying(&self) {
        *self.tried.lock() = self.now();
    }

    /// Whether the files were last tried as they are now.
    pub fn is_current(&self) -> bool {
        *self.tried.lock() == self.now()
    }

    /// Calls `changed` whenever the files have changed and then stayed the same for one `poll`, until cancelled.
    ///
    /// That pause is what lets files be replaced one after the other, and a file be written in pieces. `changed` may block; it is called once
    /// for each state of the files, whatever comes of it.
    pub async fn watch(self: Arc<Self>, poll: Duration, stop: CancellationToken, changed: impl Fn() + Send + Sync + 'static) {
        let changed = Arc::new(changed);
        let mut seen = self.tried.lock().clone();
        while stop.run_until_cancelled(tokio::time::sleep(poll)).await.is_some() {
            let (watch, changed, before) = (Arc::clone(&self), Arc::clone(&changed), seen.clone());
            let looked = tokio::task::spawn_blocking(move || watch.look(&before, &*changed));
            match looked.await {
                Ok(now) => seen = now,
                Err(error) => tracing::error!(%error, "could not look at watched files"),
            }
        }
    }

    /// Looks at the files once, and calls `changed` if they changed since they were tried, but not since `seen`.
    pub fn look(&self, seen: &Fingerprint, changed: impl Fn()) -> Fingerprint {
        let now = self.now();
        if now == *seen && now != *self.tried.lock() {
            *self.tried.lock() = now.clone();
            changed();
        }
        now
    }

    fn now(&self) -> Fingerprint {
        state_of(&self.paths)
    }
}

fn state_of(paths: &[PathBuf]) -> Fingerprint {
    Fingerprint::of(paths.iter().map(PathBuf::as_path))
}

#[cfg(test)]
mod tests;
