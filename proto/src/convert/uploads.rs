//! Uploads, on the wire.

use zot_contract::{Chunk, Context, UploadId, UploadStatus};
use zot_oci::RepositoryName;

use super::{Malformed, parse, required};
use crate::v1;

/// What a chunk's header says: where the chunk goes, and whose it is.
pub(crate) struct ChunkHeader {
    pub(crate) cx: Context,
    pub(crate) repository: RepositoryName,
    pub(crate) upload: UploadId,
    pub(crate) at: Option<u64>,
    pub(crate) length: Option<u64>,
}

impl ChunkHeader {
    /// The header of `chunk`.
    pub(crate) fn of(chunk: &Chunk, cx: &Context, repository: &RepositoryName, upload: UploadId) -> v1::ChunkHeader {
        v1::ChunkHeader {
            context: Some(cx.into()),
            repository: repository.to_string(),
            upload: upload.to_string(),
            at: chunk.at,
            length: chunk.length,
        }
    }
}

impl TryFrom<v1::ChunkHeader> for ChunkHeader {
    type Error = Malformed;

    fn try_from(wire: v1::ChunkHeader) -> Result<Self, Malformed> {
        Ok(Self {
            cx: required("context", wire.context)?,
            repository: parse("repository", &wire.repository)?,
            upload: parse("upload", &wire.upload)?,
            at: wire.at,
            length: wire.length,
        })
    }
}

impl From<UploadStatus> for v1::UploadStatusResponse {
    fn from(status: UploadStatus) -> Self {
        Self { offset: status.offset }
    }
}

impl From<v1::UploadStatusResponse> for UploadStatus {
    fn from(wire: v1::UploadStatusResponse) -> Self {
        Self { offset: wire.offset }
    }
}
