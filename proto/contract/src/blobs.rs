//! The role that has blobs.

use std::{fs::File, io::IoSliceMut, sync::Arc};

use bytes::Bytes;
use futures::stream::BoxStream;
use rustix::io::{ReadWriteFlags, preadv2};
use zot_oci::{ByteRange, Digest, RepositoryName};

use crate::{BlobUrl, Context, Error, Result};

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

/// The bytes of a blob, in order, in pieces of at most a few hundred KiB.
pub type BlobStream = BoxStream<'static, std::result::Result<Bytes, Error>>;

/// A blob that is being read.
pub struct BlobBody {
    /// The size of the whole blob in bytes, whatever part is read.
    pub size: u64,
    /// The bytes asked for.
    pub stream: BlobStream,
    /// The same bytes, if they are in a file of this machine: whoever sends them can have the system do it.
    pub file: Option<FilePart>,
}

impl BlobBody {
    /// Bytes that come from wherever `stream` has them.
    pub fn new(size: u64, stream: BlobStream) -> Self {
        Self { size, stream, file: None }
    }
}

/// A part of a file that does not change any more.
#[derive(Debug, Clone)]
pub struct FilePart {
    /// The file.
    pub file: Arc<File>,
    /// The offset of the first byte.
    pub first: u64,
    /// How many bytes there are.
    pub length: u64,
}

impl FilePart {
    /// Whether its first `most` bytes can be had without waiting for the disk. Files are read ahead in order, so their end tells.
    pub fn is_cached(&self, most: u64) -> bool {
        let Some(last) = self.length.min(most).checked_sub(1) else { return true };
        preadv2(&self.file, &mut [IoSliceMut::new(&mut [0])], self.first + last, ReadWriteFlags::NOWAIT) == Ok(1)
    }

    /// Leaves out the first `count` bytes, of which there must be as many.
    pub fn skip(&mut self, count: u64) {
        self.first += count;
        self.length -= count;
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
