//! A cache in front of a store that counts, waits and breaks.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::super::*;
use crate::{
    Error,
    blobs::{MemoryBlobs, Pieces, in_memory},
};

pub(super) const MIB: u64 = 1 << 20;

/// A store in memory whose reads are counted, may be held up piece by piece, and may fail.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) blobs: MemoryBlobs,
    pub(super) reads: AtomicUsize,
    /// One for each piece that may pass.
    pub(super) pieces: Arc<Semaphore>,
    pub(super) breaks_after_a_piece: AtomicBool,
}

impl Remote {
    pub(super) fn new(pieces: usize) -> Arc<Self> {
        let (reads, breaks_after_a_piece) = Default::default();
        Arc::new(Self { blobs: MemoryBlobs::default(), reads, pieces: Arc::new(Semaphore::new(pieces)), breaks_after_a_piece })
    }

    pub(super) fn free() -> Arc<Self> {
        Self::new(Semaphore::MAX_PERMITS)
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl BlobStore for Remote {
    fn staging(&self) -> Staging {
        self.blobs.staging()
    }

    async fn stage(&self, upload: UploadId) -> Result<Box<dyn Staged>> {
        self.blobs.stage(upload).await
    }

    async fn resume(&self, upload: UploadId, size: u64, state: &[u8]) -> Result<Option<Box<dyn Staged>>> {
        self.blobs.resume(upload, size, state).await
    }

    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()> {
        self.blobs.put(key, bytes).await
    }

    async fn read(&self, at: &BlobAddress, size: u64, range: ByteRange) -> Result<Opened> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let pieces = self.blobs.read(at, size, range).await?;
        let gate = self.pieces.clone();
        let held_up = pieces.and_then(move |piece| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(piece)
            }
        });
        if self.breaks_after_a_piece.load(Ordering::SeqCst) {
            let broken = futures::stream::iter([Err(Error::remote("read", "the connection broke"))]);
            return Ok(held_up.take(1).chain(broken).boxed());
        }
        Ok(held_up.boxed())
    }

    async fn size(&self, at: &BlobAddress) -> Result<Option<u64>> {
        self.blobs.size(at).await
    }

    async fn delete(&self, at: &BlobAddress) -> Result<()> {
        self.blobs.delete(at).await
    }

    async fn staged(&self) -> Result<Vec<UploadId>> {
        self.blobs.staged().await
    }

    async fn discard(&self, upload: UploadId, state: &[u8]) -> Result<Vec<String>> {
        self.blobs.discard(upload, state).await
    }
}

/// A cache in front of a store.
pub(super) struct Fixture {
    pub(super) blobs: CachedBlobs,
    pub(super) remote: Arc<Remote>,
    pub(super) directory: TempDir,
}

impl Fixture {
    pub(super) async fn new(remote: Arc<Remote>, bytes_max: u64) -> Self {
        Self::at(tempfile::tempdir().unwrap(), remote, bytes_max).await
    }

    pub(super) async fn at(directory: TempDir, remote: Arc<Remote>, bytes_max: u64) -> Self {
        let cache = BlobCache::open(directory.path().join("cache"), bytes_max).unwrap();
        until(|| cache.state.lock().loaded).await;
        Self { blobs: CachedBlobs::new(remote.clone(), cache, "default"), remote, directory }
    }

    /// Stores content that differs by `seed`.
    pub(super) async fn put(&self, seed: u64, size: u64) -> BlobAddress {
        let bytes = content(seed, size);
        let key = BlobKey::shared(&Digest::sha256(&bytes));
        self.blobs.put(&key, bytes).await.unwrap();
        key.into()
    }

    pub(super) async fn read(&self, at: &BlobAddress, size: u64) -> Result<Bytes> {
        collect(self.open(at, size).await?).await
    }

    pub(super) async fn open(&self, at: &BlobAddress, size: u64) -> Result<Pieces> {
        self.blobs.read(at, size, ByteRange::whole(size).unwrap()).await.map(in_memory)
    }

    /// Reads until it is held, and waits for the end of the fetch.
    pub(super) async fn warm(&self, at: &BlobAddress, size: u64) {
        self.read(at, size).await.unwrap();
        self.landed().await;
    }

    /// Waits until nothing is being fetched any more.
    pub(super) async fn landed(&self) {
        until(|| self.blobs.cache.fetches.available_permits() == FETCHES_MAX).await;
    }

    /// The bytes of all files of the cache.
    pub(super) fn on_disk(&self) -> u64 {
        let root = self.directory.path().join("cache");
        let subdirectories = ["blobs", "fetching"].map(|name| fs::read_dir(root.join(name)).unwrap());
        let entries = subdirectories.into_iter().flatten().map(|entry| entry.unwrap().path());
        let files = entries.flat_map(|path| {
            if path.is_dir() { fs::read_dir(path).unwrap().map(|file| file.unwrap().path()).collect() } else { vec![path] }
        });
        files.map(|file| fs::metadata(file).unwrap().len()).sum()
    }
}

pub(super) fn content(seed: u64, size: u64) -> Bytes {
    // A period that no piece's size is a multiple of, so that pieces in the wrong place are noticed.
    let mut bytes: Vec<u8> = (0..251).cycle().take(251 * 16).collect::<Vec<u8>>().repeat(size as usize / (251 * 16) + 1);
    bytes.truncate(size as usize);
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes.into()
}

pub(super) async fn collect(pieces: Pieces) -> Result<Bytes> {
    Ok(pieces.try_collect::<Vec<_>>().await?.concat().into())
}

pub(super) async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap();
}
