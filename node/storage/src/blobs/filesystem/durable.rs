//! When a file is safe: its bytes synced, its name in place, and the directory that holds the name synced.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use crate::{Error, Result};

/// Whether changes to files wait for the disk (`storage.commit`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Durability {
    durable: bool,
}

impl Durability {
    pub(crate) fn new(durable: bool) -> Self {
        Self { durable }
    }

    /// Gives a written file its final name, replacing what has it. The order matters: bytes, name, directory.
    pub(crate) fn publish(self, file: &File, from: &Path, to: &Path) -> Result<()> {
        self.sync_file(file, from)?;
        self.rename(from, to)?;
        self.sync_name(to)
    }

    /// Gives a file another name, in a directory that is created if need be.
    pub(crate) fn rename(self, from: &Path, to: &Path) -> Result<()> {
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_directory(parent(to))?;
                fs::rename(from, to).map_err(Error::file("rename to", to))
            }
            renamed => renamed.map_err(Error::file("rename to", to)),
        }
    }

    pub(crate) fn sync_name(self, path: &Path) -> Result<()> {
        self.sync_directory(parent(path))
    }

    pub(crate) fn sync_file(self, file: &File, path: &Path) -> Result<()> {
        if self.durable { file.sync_data().map_err(Error::file("sync", path)) } else { Ok(()) }
    }

    pub(crate) fn sync_directory(self, path: &Path) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        let directory = File::open(path).map_err(Error::file("open", path))?;
        directory.sync_all().map_err(Error::file("sync", path))
    }

    /// Creates a directory with all its parents, and syncs those that got a new entry.
    pub(crate) fn create_directory(self, path: &Path) -> Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let parent = parent(path);
        self.create_directory(parent)?;
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Error::file("create directory", path)(error)),
            _ => self.sync_directory(parent),
        }
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
