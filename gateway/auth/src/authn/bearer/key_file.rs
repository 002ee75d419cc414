//! A file with the keys that tokens are checked with, read again when it changes.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    KEYS_BYTES_MAX,
    key::{InvalidKey, KeySet},
};

/// How often it is looked whether the file has changed, at most.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// The keys of a file.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    keys: ArcSwap<KeySet>,
    looked: Mutex<Looked>,
}

/// When the file was looked at, and how it was.
#[derive(Debug)]
struct Looked {
    at: Instant,
    mark: Option<Mark>,
}

/// What tells one content of a file from another.
type Mark = (SystemTime, u64);

/// A file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It holds no keys.
    #[error("use `{}`", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: InvalidKey,
    },
}

impl KeyFile {
    /// Reads the file.
    pub(super) fn open(path: &Path) -> Result<Self, KeyFileError> {
        let looked = Looked { at: Instant::now(), mark: mark(path) };
        let keys = ArcSwap::from_pointee(read(path)?);
        Ok(Self { path: path.to_owned(), keys, looked: Mutex::new(looked) })
    }

    /// The keys as the file has them now, or as it had them when they were good last.
    pub(super) async fn keys(&self) -> Arc<KeySet> {
        if self.is_due() {
            let path = self.path.clone();
            let last = self.looked.lock().mark;
            // A file that is replaced while it is read is read again when it is looked at next: the mark is older than the content.
            let looked = tokio::task::spawn_blocking(move || {
                let mark = mark(&path);
                (mark, (mark != last).then(|| read(&path)))
            });
            if let Ok((mark, Some(changed))) = looked.await {
                self.looked.lock().mark = mark;
                match changed {
                    Ok(keys) => {
                        tracing::info!(file = %self.path.display(), "keys that tokens are checked with were read again");
                        self.keys.store(Arc::new(keys));
                    }
                    Err(error) => {
                        let error = zot_runtime::telemetry::chain(&error);
                        tracing::warn!(file = %self.path.display(), %error, "keys that tokens are checked with stay as they were");
                    }
                }
            }
        }
        self.keys.load_full()
    }

    /// Whether it is time to look; then nobody else does for a while.
    fn is_due(&self) -> bool {
        let mut looked = self.looked.lock();
        let due = looked.at.elapsed() >= LOOK_PERIOD;
        if due {
            looked.at = Instant::now();
        }
        due
    }
}

/// Reads and checks a file.
pub(super) fn read(path: &Path) -> Result<KeySet, KeyFileError> {
    let failed = |source| KeyFileError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > KEYS_BYTES_MAX as u64 {
        return Err(KeyFileError::Keys { path: path.to_owned(), source: InvalidKey::TooLarge });
    }
    let text = std::fs::read(path).map_err(failed)?;
    KeySet::parse(&text).map_err(|source| KeyFileError::Keys { path: path.to_owned(), source })
}

fn mark(path: &Path) -> Option<Mark> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}
