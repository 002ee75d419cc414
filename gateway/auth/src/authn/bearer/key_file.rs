//! A file with the keys that tokens are checked with, read again when it changes.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use zot_runtime::{file_watch::FileWatch, tasks::Tasks, telemetry::chain};

use super::{
    KEYS_BYTES_MAX,
    key::{InvalidKey, KeySet},
};

/// The keys of a file, as it was when it was last read and good.
#[derive(Debug)]
pub(super) struct KeyFile(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    keys: ArcSwap<KeySet>,
}

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
    /// Reads the file, and looks every `poll` among `tasks` whether it has changed.
    pub(super) fn open(path: &Path, poll: Duration, tasks: &Tasks) -> Result<Self, KeyFileError> {
        let changes = Arc::new(FileWatch::new(vec![path.to_owned()]));
        let kept = Arc::new(Kept { path: path.to_owned(), keys: ArcSwap::from_pointee(read(path)?) });
        let watched = Arc::clone(&kept);
        tasks.spawn("watch-keys-of-tokens", changes.watch(poll, tasks.stop(), move || watched.read_again()));
        Ok(Self(kept))
    }

    /// The keys as the file has them, or as it had them when they were good last.
    pub(super) fn keys(&self) -> Arc<KeySet> {
        self.0.keys.load_full()
    }
}

impl Kept {
    fn read_again(&self) {
        match read(&self.path) {
            Ok(keys) => {
                tracing::info!(file = %self.path.display(), "keys that tokens are checked with were read again");
                self.keys.store(Arc::new(keys));
            }
            Err(error) => {
                tracing::warn!(file = %self.path.display(), error = %chain(&error), "keys that tokens are checked with stay as they were");
            }
        }
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

#[cfg(test)]
mod tests {
    use rcgen::KeyPair;

    use super::*;

    #[test]
    fn a_broken_file_changes_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| std::fs::write(file.path(), text).unwrap();
        write(&KeyPair::generate().unwrap().public_key_pem());
        let kept = Kept { path: file.path().to_owned(), keys: ArcSwap::from_pointee(read(file.path()).unwrap()) };
        let before = kept.keys.load_full();
        write("half a file");
        kept.read_again();
        assert!(Arc::ptr_eq(&kept.keys.load_full(), &before));
        write(&KeyPair::generate().unwrap().public_key_pem());
        kept.read_again();
        assert!(!Arc::ptr_eq(&kept.keys.load_full(), &before));
    }
}
