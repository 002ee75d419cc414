//! Uploads in memory. A body is awaited without the lock: what keeps a second writer out is the upload's mark.

use bytes::{Buf as _, Bytes, BytesMut};
use futures::StreamExt as _;
use zot_oci::{Algorithm, Digest, RepositoryName};

use super::{MemoryRegistry, State};
use crate::{Chunk, Context, Error, Result, Subject, UploadId, UploadStatus, Uploads, Written};

/// An upload that goes on.
pub(super) struct Upload {
    repository: RepositoryName,
    subject: Subject,
    bytes: BytesMut,
    /// Whether a request is writing to it.
    busy: bool,
    written: Option<Written>,
}

#[async_trait::async_trait]
impl Uploads for MemoryRegistry {
    /// All bytes are at hand when the upload is finished, and are hashed then with whatever algorithm is asked for.
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, _: Algorithm) -> Result<UploadId> {
        let id = UploadId::random();
        let upload =
            Upload { repository: repository.clone(), subject: cx.subject.clone(), bytes: BytesMut::new(), busy: false, written: None };
        self.state.lock().uploads.insert(id, upload);
        Ok(id)
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        let mut state = self.state.lock();
        Ok(state.upload(upload, cx, repository)?.status())
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        self.write(cx, repository, upload, chunk).await?;
        self.upload_status(cx, repository, upload).await
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        upload: UploadId,
        chunk: Chunk,
        digest: &Digest,
    ) -> Result<()> {
        let bytes = self.write(cx, repository, upload, chunk).await?.take()?;
        let found = Digest::of(digest.algorithm(), &bytes);
        if found != *digest {
            return Err(Error::DigestMismatch { expected: *digest, found });
        }
        let mut state = self.state.lock();
        state.repositories.entry(repository.clone()).or_default().blobs.insert(*digest, bytes);
        Ok(())
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        let mut state = self.state.lock();
        state.upload(upload, cx, repository)?;
        state.uploads.remove(&upload);
        Ok(())
    }
}

impl MemoryRegistry {
    /// Writes a chunk to the end of the upload, and stays its writer.
    async fn write(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, mut chunk: Chunk) -> Result<Writer<'_>> {
        let (writer, mut written) = self.writer(cx, repository, upload, chunk.at)?;
        while let Some(piece) = chunk.stream.next().await {
            let mut piece = piece.map_err(Error::BodyBroken)?;
            let there = written.min(piece.len());
            written -= there;
            piece.advance(there);
            writer.push(&piece)?;
        }
        Ok(writer)
    }

    /// The one who may write now, and how many of the bytes to be written are there already.
    fn writer(&self, cx: &Context, repository: &RepositoryName, id: UploadId, at: Option<u64>) -> Result<(Writer<'_>, usize)> {
        let mut state = self.state.lock();
        let upload = state.upload(id, cx, repository)?;
        if upload.busy {
            return Err(Error::UploadBusy { upload: id });
        }
        let expected = upload.status().offset;
        let from = Written::from(upload.written, cx.operation, expected);
        if let Some(found) = at.filter(|at| *at != from) {
            return Err(Error::UploadOffset { upload: id, expected, found });
        }
        upload.busy = true;
        upload.written = cx.operation.map(|operation| Written { operation: operation.id, from });
        Ok((Writer { registry: self, id }, (expected - from) as usize))
    }
}

impl State {
    /// The upload, if it belongs to this repository and subject.
    fn upload(&mut self, id: UploadId, cx: &Context, repository: &RepositoryName) -> Result<&mut Upload> {
        let found = self.uploads.get_mut(&id);
        let own = found.filter(|upload| upload.repository == *repository && upload.subject == cx.subject);
        own.ok_or(Error::UploadUnknown { upload: id })
    }
}

impl Upload {
    fn status(&self) -> UploadStatus {
        UploadStatus { offset: self.bytes.len() as u64 }
    }
}

/// The one request that writes to an upload. Dropped, it lets the next one in: also when the request itself is dropped half-way.
struct Writer<'a> {
    registry: &'a MemoryRegistry,
    id: UploadId,
}

impl Writer<'_> {
    fn push(&self, bytes: &[u8]) -> Result<()> {
        let mut state = self.registry.state.lock();
        // Somebody may have cancelled the upload meanwhile.
        let upload = state.uploads.get_mut(&self.id).ok_or(Error::UploadUnknown { upload: self.id })?;
        upload.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Ends the upload.
    fn take(self) -> Result<Bytes> {
        let ended = self.registry.state.lock().uploads.remove(&self.id);
        let upload = ended.ok_or(Error::UploadUnknown { upload: self.id })?;
        Ok(upload.bytes.freeze())
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if let Some(upload) = self.registry.state.lock().uploads.get_mut(&self.id) {
            upload.busy = false;
        }
    }
}
