//! The port for bytes: staged while they arrive, committed under a key once and for all, read in ranges.

pub mod cache;
pub mod filesystem;
mod memory;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod suite;

use std::{fmt::Debug, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use zot_contract::{BlobUrl, Piece, UploadId};
use zot_oci::ByteRange;

use crate::{BlobAddress, BlobKey, Error, Result};
pub use cache::{BlobCache, CachedBlobs};
pub use filesystem::FilesystemBlobs;
pub use memory::MemoryBlobs;

/// The size of the pieces in which bytes are read, in bytes. Larger ones cost memory for every transfer in flight, smaller ones time.
pub const PIECE_BYTES: usize = 256 << 10;

/// Pieces of stored bytes, in order.
pub type Pieces = BoxStream<'static, Result<Bytes>>;

/// Stored bytes that are being read, in order, some of them perhaps not in memory.
pub type Opened = BoxStream<'static, Result<Piece>>;

/// Bytes in memory, as a store that has nothing else opens them.
pub fn opened(pieces: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Opened {
    pieces.map_ok(Piece::Bytes).boxed()
}

/// What was opened, in memory.
pub fn in_memory(opened: Opened) -> Pieces {
    zot_contract::in_memory(opened, |error| Error::file("read", "a blob")(error)).boxed()
}

/// A store of bytes.
///
/// # Contract
/// - Bytes are at an address whole or not at all. What is there never changes; committing to a key again replaces it by the same bytes.
/// - When [`Staged::commit`] or [`BlobStore::put`] returns, the bytes are durable.
/// - When [`Staged::flush`] returns, the bytes written so far survive the death of this process.
/// - In a store that several processes use, two of them may have the same upload staged for a while. What one writes never becomes part of what
///   the other commits; committing may fail instead.
#[async_trait::async_trait]
pub trait BlobStore: Debug + Send + Sync {
    /// What the store does with staged bytes.
    fn staging(&self) -> Staging;

    /// Makes room for the bytes of an upload. What was staged of it before is no part of them, but stays in a store that several processes use:
    /// another may be going on with it.
    async fn stage(&self, upload: UploadId) -> Result<Box<dyn Staged>>;

    /// Takes up what was flushed of an upload: its first `size` bytes, given the last [`Staged::state`]. Nothing if they are not there any more.
    async fn resume(&self, upload: UploadId, size: u64, state: &[u8]) -> Result<Option<Box<dyn Staged>>>;

    /// Stores bytes that are at hand, always under their key.
    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()>;

    /// Reads a part of the `size` bytes at an address. Another size than that is damage, reported before the first byte.
    async fn read(&self, at: &BlobAddress, size: u64, range: ByteRange) -> Result<Opened>;

    /// Where anybody can read all of the `size` bytes at an address for a time, without this process; nothing if they cannot, or had better
    /// not because they are at hand. Another size than that is damage, as when reading.
    async fn url(&self, _at: &BlobAddress, _size: u64, _valid_for: Duration) -> Result<Option<BlobUrl>> {
        Ok(None)
    }

    /// The size of what is at an address, if anything.
    async fn size(&self, at: &BlobAddress) -> Result<Option<u64>>;

    /// Removes what is at an address, if anything.
    async fn delete(&self, at: &BlobAddress) -> Result<()>;

    /// The uploads of which bytes are staged.
    async fn staged(&self) -> Result<Vec<UploadId>>;

    /// Drops what is staged of an upload, if anything, given the last [`Staged::state`], or nothing if that is not known.
    /// What was committed of it stays, and so may what may have been, as far as the store cannot tell: returns the places of that, as far as
    /// the state names them.
    async fn discard(&self, upload: UploadId, state: &[u8]) -> Result<Vec<String>>;
}

/// What a store does with staged bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staging {
    /// Whether flushed bytes survive a power cut too. An upload that is taken up goes on from its saved hash state then; otherwise its bytes
    /// are read and hashed again.
    pub durable_when_flushed: bool,
    /// How many bytes are gathered before they are handed over: as many as are worth a call. More than what is kept in rows.
    pub gathered_bytes: usize,
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

    /// What [`BlobStore::resume`] needs to take up what was last flushed, apart from the bytes; empty if that is nothing.
    fn state(&self) -> Bytes;

    /// Makes the bytes a blob. Returns the place of its [`BlobAddress`]: empty if they are under the key now. But for [`Staged::finish`], nothing may be
    /// done with them afterwards. If it fails, [`Staged::truncate`] tells whether they are good for another try.
    async fn commit(&mut self, key: &BlobKey) -> Result<String>;

    /// Lets go, in the background, of what is left of the upload beside the blob that it was committed as. To be called when nobody has to take the
    /// upload up again: once rows speak of the blob.
    fn finish(&mut self);

    /// Drops the bytes. Nothing may be done with them afterwards.
    async fn discard(&mut self) -> Result<()>;
}

/// Reads all of the `size` bytes at an address into memory.
pub(crate) async fn read_whole(blobs: &dyn BlobStore, at: &BlobAddress, size: u64) -> Result<Bytes> {
    let Some(range) = ByteRange::whole(size) else { return Ok(Bytes::new()) };
    let pieces: Vec<Bytes> = in_memory(blobs.read(at, size, range).await?).try_collect().await?;
    Ok(pieces.concat().into())
}
