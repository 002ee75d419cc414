//! The files of the cache.
//!
//! ```text
//! <directory>/lock              held by the process that uses it
//! <directory>/blobs/<hh>/<hex>  a blob, whole (hh: the first two characters of its name)
//! <directory>/fetching/<hex>-<n> one that is being fetched; dropped at start
//! ```

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use zot_oci::{Algorithm, Digest};

use super::Name;
use crate::{
    Error, Result,
    blobs::filesystem::{Durability, create, remove},
};

/// The directory of the cache, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    _lock: File,
}

impl Directory {
    /// Opens the directory and drops what was not fetched to the end.
    pub(super) fn open(root: PathBuf) -> Result<Self> {
        Durability::new(false).create_directory(&root)?;
        let path = root.join("lock");
        let lock = create(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse { path: root }),
            Err(TryLockError::Error(error)) => return Err(Error::file("lock", path)(error)),
        }
        let fetching = root.join("fetching");
        match fs::remove_dir_all(&fetching) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::file("remove", fetching)(error)),
            _ => {}
        }
        for directory in [&fetching, &root.join("blobs")] {
            Durability::new(false).create_directory(directory)?;
        }
        Ok(Self { root, _lock: lock })
    }

    /// Where a blob is.
    pub(super) fn path(&self, name: &Name) -> PathBuf {
        let hex = name.hex();
        self.root.join("blobs").join(&hex[..2]).join(hex)
    }

    /// Where a blob is while it is fetched for the `number`th time.
    pub(super) fn fetching(&self, name: &Name, number: u64) -> PathBuf {
        self.root.join(format!("fetching/{}-{number}", name.hex()))
    }

    /// Puts a fetched blob in its place. Its bytes are synced first: a power cut must not leave a file of the right size and other bytes.
    pub(super) fn publish(&self, file: &File, from: &Path, name: &Name) -> Result<()> {
        let to = self.path(name);
        if let Some(parent) = to.parent() {
            Durability::new(false).create_directory(parent)?;
        }
        file.sync_data().map_err(Error::file("sync", from))?;
        fs::rename(from, &to).map_err(Error::file("rename to", to))
    }

    /// Removes blobs. One that stays is found again at the next start.
    pub(super) fn remove(&self, names: &[Name]) {
        for name in names {
            if let Err(error) = remove(&self.path(name)) {
                tracing::warn!(error = crate::error::chain(&error), "could not remove a blob from the cache");
            }
        }
    }

    /// The blobs there are with their sizes, those written last at the end. What is none is left alone.
    pub(super) fn list(&self) -> Result<Vec<(Name, u64)>> {
        let mut found = Vec::new();
        for directory in entries(&self.root.join("blobs"))? {
            for file in entries(&directory.path())? {
                found.extend(blob(&file));
            }
        }
        found.sort_unstable_by_key(|(written, ..)| *written);
        Ok(found.into_iter().map(|(_, name, size)| (name, size)).collect())
    }
}

fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>> {
    let entries = fs::read_dir(directory).map_err(Error::file("list", directory))?;
    entries.collect::<io::Result<_>>().map_err(Error::file("list", directory))
}

fn blob(entry: &fs::DirEntry) -> Option<(SystemTime, Name, u64)> {
    let hex = entry.file_name().into_string().ok()?;
    let name: Digest = format!("{}:{hex}", Algorithm::Sha256.as_str()).parse().ok()?;
    let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    Some((metadata.modified().ok()?, name, metadata.len()))
}
