//! What a remote store keeps on the local disk because the configuration names no service for it. One process works on it at a time.

use std::path::PathBuf;

use zot_config::{Config, storage::Store};
use zot_storage::{Lock, sessions::FilesystemSessions};

use super::BoxError;

/// A directory that nobody else uses for as long as this lives.
#[derive(Debug)]
pub(super) struct Disk {
    directory: PathBuf,
    _lock: Lock,
}

impl Disk {
    /// Takes the directory of a store, and creates it when absent.
    pub(super) fn take(config: &Config, store: &Store) -> Result<Self, BoxError> {
        let root = store.root_directory.as_path();
        if root.as_os_str().is_empty() {
            return Err("rootDirectory is needed for what is kept on the local disk".into());
        }
        let directory = config.cluster.as_ref().map_or_else(|| root.to_owned(), |cluster| cluster.own_directory(root, config.http.port));
        let lock = Lock::take(&directory.join("remote.lock"), &directory)?;
        Ok(Self { directory, _lock: lock })
    }

    /// The disk of a store that cannot do without one.
    pub(super) fn wanted(disk: Option<&Self>) -> Result<&Self, BoxError> {
        disk.ok_or_else(|| "the local disk is needed for what there is no service for".into())
    }

    /// Where the rows are, if they are here.
    pub(super) fn metadata_file(&self) -> PathBuf {
        self.directory.join("metadata.redb")
    }

    /// Uploads in progress, if they are here.
    pub(super) fn sessions(&self) -> zot_storage::Result<FilesystemSessions> {
        FilesystemSessions::open(&self.directory)
    }
}
