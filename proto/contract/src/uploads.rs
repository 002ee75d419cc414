//! The role that takes blobs in.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use futures::stream::BoxStream;
use uuid::Uuid;
use zot_oci::{Algorithm, Digest, RepositoryName};

use crate::{BoxError, Context, Result};

/// Takes blobs in, whole or in chunks.
///
/// # Contract
/// - An upload belongs to one repository and one subject: to anyone else it does not exist.
/// - A blob is visible whole or not at all, also after a crash.
/// - What [`Uploads::append_upload`] acknowledged is kept over a crash of the process. An upload that has accepted no bytes yet may be forgotten.
/// - Two writers on one upload: one wins, the other gets [`crate::Error::UploadBusy`] or [`crate::Error::UploadOffset`]; bytes never interleave.
/// - A body that breaks off leaves the upload at what had arrived. A failure to store what arrives leaves it where it was before the call; a
///   failure to make the whole durable ends it.
/// - Of what one attempt at a [change](crate::Context::operation) has written, another one writes only what is missing: a chunk is part of the
///   upload once.
/// - Content that does not match its digest is discarded together with the upload.
#[async_trait::async_trait]
pub trait Uploads: Send + Sync {
    /// Opens an upload. Its content will be hashed with `algorithm` while it streams in.
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId>;

    /// How far an upload is.
    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus>;

    /// Appends a chunk.
    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus>;

    /// Appends a last chunk, then makes the whole a blob of the repository. The upload ends.
    async fn finish_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk, digest: &Digest)
    -> Result<()>;

    /// Ends an upload and drops its bytes.
    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()>;
}

/// Identifies an upload; unguessable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(Uuid);

impl UploadId {
    /// A new identifier that nobody else has.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for UploadId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> std::result::Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadStatus {
    /// The number of bytes accepted so far; the next byte's offset.
    pub offset: u64,
}

/// A piece of a blob, as it arrives.
pub struct Chunk {
    /// The offset of its first byte: the chunk is refused unless the upload has exactly that many bytes. Without it, it goes to the end.
    pub at: Option<u64>,
    /// How many bytes the sender announced, if it did. A hint; the stream decides.
    pub length: Option<u64>,
    /// The bytes.
    pub stream: BoxStream<'static, std::result::Result<Bytes, BoxError>>,
}

impl Chunk {
    /// A chunk that is at hand, for the end of the upload.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = Some(bytes.len() as u64);
        Self { at: None, length, stream: Box::pin(futures::stream::iter((!bytes.is_empty()).then_some(Ok(bytes)))) }
    }

    /// A chunk without bytes.
    pub fn empty() -> Self {
        Self::of(Bytes::new())
    }

    /// The same chunk, to be refused unless the upload has exactly `offset` bytes.
    pub fn at(self, offset: u64) -> Self {
        Self { at: Some(offset), ..self }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").field("at", &self.at).field("length", &self.length).finish_non_exhaustive()
    }
}
