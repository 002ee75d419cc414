//! The role that has blobs.

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use zot_oci::{ByteRange, Digest, RepositoryName};

use crate::{
    BlobUrl, Context, Error, Result,
    piece::{Piece, in_memory},
};

/// Reads, mounts and deletes blobs.
///
/// # Contract
/// - Whether a blob exists is a fact of one repository, even where bytes are shared: nothing but a mount tells what other repositories have.
/// - The bytes read under a digest are those that hashed to it when they came in, all of them, or the stream ends in an error.
/// - A manifest of the repository can also be read as a blob, by its digest.
#[async_trait::async_trait]
pub trait Blobs: Send + Sync {
    /// What is known of a blob without reading it.
    async fn stat_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo>;

    /// Reads a blob, or a part of it.
    ///
    /// `range` must lie within the blob: resolve it against [`Blobs::stat_blob`] first.
    async fn read_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody>;

    /// Reads a whole blob, or tells where whoever wants it can read it without this registry's help.
    async fn fetch_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Fetched> {
        self.read_blob(cx, repository, digest, None).await.map(Fetched::Here)
    }

    /// Makes a blob of the repository `from`, or of whatever repository has it, a blob of `repository` too.
    ///
    /// Returns whether it is one now. `false` says no more than "upload it": the source may lack it, or be out of reach. The caller has checked that
    /// the subject may read `from`, or without it every repository: the answer tells whether one of them has the blob.
    async fn mount_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool>;

    /// Takes a blob out of the repository. Refused with [`Error::BlobReferenced`] while a manifest of the repository needs it.
    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()>;
}

/// What is known of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its size in bytes.
    pub size: u64,
}

/// The bytes of a blob, in order, in pieces of at most a few hundred KiB of memory.
pub type BlobStream = BoxStream<'static, std::result::Result<Piece, Error>>;

/// A blob that is being read.
pub struct BlobBody {
    /// The size of the whole blob in bytes, whatever part is read.
    pub size: u64,
    /// The bytes asked for.
    pub stream: BlobStream,
}

impl BlobBody {
    /// A blob of `size` bytes, of which `bytes` are those asked for.
    pub fn new(size: u64, bytes: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self { size, stream: bytes.map_ok(Piece::Bytes).boxed() }
    }

    /// The bytes asked for, in memory.
    pub fn in_memory(self) -> BoxStream<'static, std::result::Result<Bytes, Error>> {
        in_memory(self.stream, Error::internal).boxed()
    }
}

/// A whole blob, or where it is.
#[derive(Debug)]
pub enum Fetched {
    /// The blob.
    Here(BlobBody),
    /// Where it can be read.
    Elsewhere(BlobUrl),
}

impl std::fmt::Debug for BlobBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobBody").field("size", &self.size).finish_non_exhaustive()
    }
}
