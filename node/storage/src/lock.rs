//! One process at a time: a lock on a file, which ends with the process that holds it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::{Error, Result, blobs::filesystem::Durability};

/// The right to work on a directory, for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Gets the right to work on `directory`, which whoever holds the lock on `file` has. Both are created when absent.
    ///
    /// # Errors
    /// [`Error::InUse`] if another process has it.
    pub fn take(file: &Path, directory: &Path) -> Result<Self> {
        if let Some(parent) = file.parent() {
            Durability::new(true).create_directory(parent)?;
        }
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file);
        let opened = opened.map_err(Error::file("open", file))?;
        match opened.try_lock() {
            Ok(()) => Ok(Self { _file: opened }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path: directory.to_owned() }),
            Err(TryLockError::Error(error)) => Err(Error::file("lock", file)(error)),
        }
    }
}
