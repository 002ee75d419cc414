//! The port for bytes: staged while they arrive, committed under a key once and for all, read in ranges.

pub mod filesystem;
mod memory;
#[cfg(test)]
mod suite;

use std::fmt::Debug;

use bytes::Bytes;
use futures::{TryStreamExt, stream::BoxStream};
use zot_contract::UploadId;
use zot_oci::ByteRange;

use crate::{BlobKey, Result};
pub use filesystem::FilesystemBlobs;
pub use memory::MemoryBlobs;

/// The size of the pieces in which bytes are read, in bytes. Larger ones cost memory for every transfer in flight, smaller ones time.
pub const PIECE_BYTES: usize = 256 << 10;

/// Pieces of stored bytes, in order.
pub type Pieces = BoxStream<'static, Result<Bytes>>;

/// A store of bytes.
///
/// # Contract
/// - Bytes are under a key whole or not at all. What is under a key never changes; committing to it again replaces it by the same bytes.
/// - When [`Staged::commit`] or [`BlobStore::put`] returns, the bytes are durable.
/// - When [`Staged::flush`] returns, the bytes written so far survive the death of this process.
#[async_trait::async_trait]
pub trait BlobStore: Debug + Send + Sync {
    /// Makes room for the bytes of an upload; what an earlier stage of the same upload left is gone.
    async fn stage(&self, upload: UploadId) -> Result<Box<dyn Staged>>;

    /// Takes up what was flushed of an upload: its first `size` bytes. Nothing if they are not there any more.
    async fn resume(&self, upload: UploadId, size: u64) -> Result<Option<Box<dyn Staged>>>;

    /// Stores bytes that are at hand.
    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()>;

    /// Reads a part of the `size` bytes under a key. Another size than that is damage, reported before the first byte.
    async fn read(&self, key: &BlobKey, size: u64, range: ByteRange) -> Result<Pieces>;

    /// The size of what is under a key, if anything.
    async fn size(&self, key: &BlobKey) -> Result<Option<u64>>;

    /// Removes what is under a key, if anything.
    async fn delete(&self, key: &BlobKey) -> Result<()>;

    /// The uploads of which bytes are staged.
    async fn staged(&self) -> Result<Vec<UploadId>>;

    /// Drops what is staged of an upload, if anything.
    async fn discard(&self, upload: UploadId) -> Result<()>;
}

/// The bytes of an upload before they have a digest.
#[async_trait::async_trait]
pub trait Staged: Debug + Send + Sync {
    /// Appends bytes. A failure may be reported by a later call.
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<()>;

    /// Waits until everything written is with the store.
    async fn flush(&mut self) -> Result<()>;

    /// Drops everything after the first `size` bytes, also after a failed write. Having less than that is damage.
    async fn truncate(&mut self, size: u64) -> Result<()>;

    /// Reads everything back.
    async fn read_back(&mut self) -> Result<Pieces>;

    /// Moves the bytes under a key.
    async fn commit(self: Box<Self>, key: &BlobKey) -> Result<()>;
}

/// Reads all of the `size` bytes under a key into memory.
pub(crate) async fn read_whole(blobs: &dyn BlobStore, key: &BlobKey, size: u64) -> Result<Bytes> {
    let Some(range) = ByteRange::whole(size) else { return Ok(Bytes::new()) };
    let pieces: Vec<Bytes> = blobs.read(key, size, range).await?.try_collect().await?;
    Ok(pieces.concat().into())
}
