//! Bytes in files: written beside, synced, renamed into place, and the directory synced; never seen half.

mod durable;
pub(in crate::blobs) mod read;
mod staged;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use bytes::Bytes;
use zot_contract::UploadId;
use zot_oci::ByteRange;

use super::{BlobStore, Opened, Staged, Staging};
use crate::{BlobAddress, BlobKey, Error, Result, error::blocking, layout::Layout};
pub(crate) use durable::Durability;
use staged::FileStaged;

/// Bytes in files below a root directory.
#[derive(Debug, Clone)]
pub struct FilesystemBlobs {
    layout: Layout,
    durability: Durability,
}

impl FilesystemBlobs {
    /// Opens the store below `root`, creating its directories when absent. With `durable`, commits reach the disk before they return.
    pub fn open(root: &Path, durable: bool) -> Result<Self> {
        let layout = Layout::new(root);
        let durability = Durability::new(durable);
        durability.create_directory(&layout.uploads())?;
        Ok(Self { layout, durability })
    }
}

/// Creates a file that only this user can read, replacing one of the same name.
pub(crate) fn create(path: &Path) -> Result<File> {
    let created = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path);
    created.map_err(Error::file("create", path))
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The size of a file, if it is there.
pub(crate) fn size(path: &Path) -> Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("stat", path)(error)),
    }
}

#[async_trait::async_trait]
impl BlobStore for FilesystemBlobs {
    fn staging(&self) -> Staging {
        // Each call goes to another thread.
        Staging { durable_when_flushed: false, gathered_bytes: 512 << 10 }
    }

    async fn stage(&self, upload: UploadId) -> Result<Box<dyn Staged>> {
        let (store, path) = (self.clone(), self.layout.upload(upload));
        let file = blocking(move || create(&path)).await?;
        Ok(Box::new(FileStaged::new(store, upload, file)))
    }

    async fn resume(&self, upload: UploadId, size: u64, _state: &[u8]) -> Result<Option<Box<dyn Staged>>> {
        let path = self.layout.upload(upload);
        let opened = blocking(move || staged::open(&path, size)).await?;
        Ok(opened.map(|file| Box::new(FileStaged::new(self.clone(), upload, file)) as Box<dyn Staged>))
    }

    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()> {
        let (store, upload, target) = (self.clone(), UploadId::random(), self.layout.blob(key));
        blocking(move || {
            let path = store.layout.upload(upload);
            let mut file = create(&path)?;
            let written = file.write_all(&bytes).map_err(Error::file("write", &path));
            let stored = written.and_then(|()| store.durability.publish(&file, &path, &target));
            // The failure that matters is already in hand.
            stored.inspect_err(|_| drop(remove(&path)))
        })
        .await
    }

    async fn read(&self, at: &BlobAddress, size: u64, range: ByteRange) -> Result<Opened> {
        read::read(self.layout.blob(&at.key), size, range).await
    }

    async fn size(&self, at: &BlobAddress) -> Result<Option<u64>> {
        let path = self.layout.blob(&at.key);
        blocking(move || size(&path)).await
    }

    async fn delete(&self, at: &BlobAddress) -> Result<()> {
        let path = self.layout.blob(&at.key);
        blocking(move || remove(&path)).await
    }

    async fn staged(&self) -> Result<Vec<UploadId>> {
        let path = self.layout.uploads();
        blocking(move || {
            let entries = fs::read_dir(&path).map_err(Error::file("list", &path))?;
            let names = entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(Error::file("list", &path)));
            let names: Vec<_> = names.collect::<Result<_>>()?;
            Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
        })
        .await
    }

    async fn discard(&self, upload: UploadId, _state: &[u8]) -> Result<Vec<String>> {
        let path = self.layout.upload(upload);
        blocking(move || remove(&path)).await.map(|()| Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_keep_the_contract() {
        for durable in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let store = FilesystemBlobs::open(directory.path(), durable).unwrap();
            super::super::suite::blob_store_suite(&store).await;
        }
    }
}
