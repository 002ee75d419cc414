//! The file under redb: plain positioned reads and writes, with `fsync` where durability is asked for.

use std::{
    fmt::Debug,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use ::redb::{Database, StorageBackend};

use super::CACHE_BYTES;
use crate::{Error, Result, blobs::filesystem::Durability};

/// How a database is opened, and opened again.
pub(super) trait Source: Debug + Send + Sync {
    fn open(&self) -> Result<Database>;
}

/// Where the database lies, and whether its commits reach the disk.
#[derive(Debug, Clone)]
pub(super) struct MetadataFile {
    path: PathBuf,
    durable: bool,
}

impl MetadataFile {
    pub(super) fn new(path: &Path, durable: bool) -> Self {
        Self { path: path.to_owned(), durable }
    }

    /// The file, created when absent.
    pub(super) fn backend(&self) -> Result<Backend> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path);
        let file = opened.map_err(Error::file("open", &self.path))?;
        if let Some(directory) = self.path.parent() {
            // A file that is new has to be found again.
            Durability::new(self.durable).sync_directory(directory)?;
        }
        Ok(Backend { file, durable: self.durable })
    }

    /// The database in the file.
    pub(super) fn database(&self, backend: impl StorageBackend) -> Result<Database> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(backend);
        database.map_err(|error| Error::OpenMetadata { path: self.path.clone(), source: error.into() })
    }
}

impl Source for MetadataFile {
    /// Opens the database, creating it when absent; repairs it after a crash.
    fn open(&self) -> Result<Database> {
        self.database(self.backend()?)
    }
}

#[derive(Debug)]
pub(super) struct Backend {
    file: File,
    durable: bool,
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        // Without durability the kernel writes when it likes: a crash of the process loses nothing, a power cut may.
        if self.durable { self.file.sync_data() } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}
