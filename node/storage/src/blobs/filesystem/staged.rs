//! The file of an upload in progress. One write and one sync run in the background while the caller hashes what comes next.

use std::{
    fs::{File, OpenOptions},
    io::{self, IoSlice, Seek, SeekFrom, Write},
    path::Path,
};

use bytes::Bytes;
use tokio::task::JoinHandle;
use zot_contract::UploadId;

use super::{FilesystemBlobs, read, remove};
use crate::{
    BlobKey, Error, Result,
    blobs::{Pieces, Staged},
    error::blocking,
};

/// How many bytes are written before the disk is asked to take them, so that the end of a large upload waits for few.
const SYNC_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct FileStaged {
    store: FilesystemBlobs,
    upload: UploadId,
    file: std::sync::Arc<File>,
    writing: Option<JoinHandle<io::Result<()>>>,
    unsynced: usize,
    syncing: Option<JoinHandle<Result<()>>>,
    /// The kernel tells of a failed sync once; the content cannot be made durable any more.
    sync_failed: bool,
}

/// Opens what was flushed, cut to `size` bytes; nothing if there is less than that.
pub(super) fn open(path: &Path, size: u64) -> Result<Option<File>> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("open", path)(error)),
    };
    if file.metadata().map_err(Error::file("stat", path))?.len() < size {
        return Ok(None);
    }
    cut(&file, size).map_err(Error::file("truncate", path))?;
    Ok(Some(file))
}

fn cut(mut file: &File, size: u64) -> io::Result<()> {
    file.set_len(size)?;
    file.seek(SeekFrom::Start(size)).map(drop)
}

impl FileStaged {
    pub(super) fn new(store: FilesystemBlobs, upload: UploadId, file: File) -> Self {
        Self { store, upload, file: file.into(), writing: None, unsynced: 0, syncing: None, sync_failed: false }
    }

    fn path(&self) -> std::path::PathBuf {
        self.store.layout.upload(self.upload)
    }

    /// Waits for the write in the background, if there is one.
    async fn settle(&mut self) -> Result<()> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let written = writing.await.map_err(|error| Error::Interrupted(error.into()))?;
        written.map_err(Error::file("write", self.path()))
    }

    /// Lets the disk take what was written so far, unless it is at it already.
    async fn sync_ahead(&mut self) -> Result<()> {
        let busy = self.syncing.as_ref().is_some_and(|syncing| !syncing.is_finished());
        if self.unsynced < SYNC_BYTES || busy {
            return Ok(());
        }
        self.settle_sync().await?;
        self.unsynced = 0;
        let (durability, file, path) = (self.store.durability, self.file.clone(), self.path());
        self.syncing = Some(tokio::task::spawn_blocking(move || durability.sync_file(&file, &path)));
        Ok(())
    }

    fn synced(&self) -> Result<()> {
        if self.sync_failed { Err(Error::file("sync", self.path())(io::Error::other("an earlier sync of it failed"))) } else { Ok(()) }
    }

    /// Waits for the sync in the background, if there is one.
    async fn settle_sync(&mut self) -> Result<()> {
        let Some(syncing) = self.syncing.take() else { return Ok(()) };
        let synced = syncing.await.map_err(|error| Error::Interrupted(error.into())).flatten();
        if synced.is_err() {
            self.sync_failed = true;
            let path = self.path();
            // Whoever takes the upload up again must not find bytes that look right and are not on the disk.
            blocking(move || remove(&path)).await?;
        }
        synced
    }
}

fn write_all(mut file: &File, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut left = slices.as_mut_slice();
    // Drops leading empty pieces, which would look like a write of nothing.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[async_trait::async_trait]
impl Staged for FileStaged {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        self.settle().await?;
        self.sync_ahead().await?;
        self.unsynced += pieces.iter().map(Bytes::len).sum::<usize>();
        let file = self.file.clone();
        self.writing = Some(tokio::task::spawn_blocking(move || write_all(&file, &pieces)));
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.settle().await
    }

    async fn truncate(&mut self, size: u64) -> Result<()> {
        self.synced()?;
        // A write that failed is what the caller wants to get rid of.
        self.settle().await.ok();
        let (file, path) = (self.file.clone(), self.path());
        blocking(move || {
            if file.metadata().map_err(Error::file("stat", &path))?.len() < size {
                return Err(Error::damaged(format!("file `{}`", path.display()), format!("it has less than {size} bytes")));
            }
            cut(&file, size).map_err(Error::file("truncate", path))
        })
        .await
    }

    async fn read_back(&mut self) -> Result<Pieces> {
        self.settle().await?;
        let path = self.path();
        blocking(move || {
            let file = File::open(&path).map_err(Error::file("open", &path))?;
            read::whole(file, &path)
        })
        .await
    }

    fn state(&self) -> Bytes {
        Bytes::new()
    }

    async fn commit(&mut self, key: &BlobKey) -> Result<String> {
        self.settle().await?;
        self.settle_sync().await?;
        self.synced()?;
        let (durability, file, path, target) = (self.store.durability, self.file.clone(), self.path(), self.store.layout.blob(key));
        self.syncing = Some(tokio::task::spawn_blocking(move || durability.sync_file(&file, &path)));
        self.settle_sync().await?;
        let (path, name) = (self.path(), target.clone());
        blocking(move || durability.rename(&path, &name)).await?;
        self.syncing = Some(tokio::task::spawn_blocking(move || durability.sync_name(&target)));
        self.settle_sync().await?;
        Ok(String::new())
    }

    /// A file that was renamed leaves nothing.
    fn finish(&mut self) {}

    async fn discard(&mut self) -> Result<()> {
        let path = self.path();
        blocking(move || remove(&path)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::BlobStore;

    #[tokio::test]
    async fn bytes_whose_sync_failed_are_neither_committed_nor_taken_up_again() {
        let root = tempfile::tempdir().unwrap();
        let store = FilesystemBlobs::open(root.path(), true).unwrap();
        let upload = UploadId::random();
        let path = store.layout.upload(upload);
        let mut staged = FileStaged::new(store.clone(), upload, super::super::create(&path).unwrap());
        staged.write(vec![Bytes::from_static(b"abc")]).await.unwrap();
        staged.flush().await.unwrap();
        let failure = Error::file("sync", &path)(io::ErrorKind::StorageFull.into());
        staged.syncing = Some(tokio::task::spawn_blocking(move || Err(failure)));
        assert!(staged.settle_sync().await.is_err());

        // The kernel would let the next sync succeed.
        let key = BlobKey::shared(&zot_oci::Digest::sha256(b"abc"));
        assert!(staged.commit(&key).await.is_err());
        assert!(staged.truncate(0).await.is_err());
        assert!(store.resume(upload, 3, &[]).await.unwrap().is_none());
        assert_eq!(store.size(&key.into()).await.unwrap(), None);
    }
}
