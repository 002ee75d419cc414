//! Uploads to another process. A body says at its end that it is complete, so whatever cuts it off arrives as a broken one.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, future, stream};
use parking_lot::Mutex;
use tonic::Response;
use zot_contract::{BoxError, Chunk, Context, Error, Result, UploadId, UploadStatus, Uploads};
use zot_oci::{Algorithm, Digest, RepositoryName};

use super::RemoteRegistry;
use crate::{
    PIECE_BYTES_MAX,
    convert::{ChunkHeader, causes, parse},
    status::{self, Answer},
    v1::{self, append_upload_request, body_part::Part, finish_upload_request},
};

#[async_trait::async_trait]
impl Uploads for RemoteRegistry {
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId> {
        let message =
            v1::OpenUploadRequest { context: Some(cx.into()), repository: repository.to_string(), algorithm: algorithm.to_string() };
        let opened = self.answer(self.uploads().open_upload(self.request(message))).await?;
        Ok(parse("upload", &opened.upload)?)
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        let message = v1::UploadStatusRequest { context: Some(cx.into()), repository: repository.to_string(), upload: upload.to_string() };
        Ok(self.answer(self.uploads().upload_status(self.request(message))).await?.into())
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        use append_upload_request::Part;
        let header = Part::Header(ChunkHeader::of(&chunk, cx, repository, upload));
        let (body, breakage) = body(chunk);
        let parts = stream::once(future::ready(header)).chain(body.map(Part::Body));
        let messages = parts.map(|part| v1::AppendUploadRequest { part: Some(part) });
        breakage.answer(self.upload_streams().append_upload(messages).await).map(Into::into)
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        upload: UploadId,
        chunk: Chunk,
        digest: &Digest,
    ) -> Result<()> {
        use finish_upload_request::Part;
        let header = ChunkHeader::of(&chunk, cx, repository, upload);
        let header = Part::Header(v1::FinishHeader { chunk: Some(header), digest: digest.to_string() });
        let (body, breakage) = body(chunk);
        let parts = stream::once(future::ready(header)).chain(body.map(Part::Body));
        let messages = parts.map(|part| v1::FinishUploadRequest { part: Some(part) });
        breakage.answer(self.upload_streams().finish_upload(messages).await).map(|v1::FinishUploadResponse {}| ())
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        let message = v1::CancelUploadRequest { context: Some(cx.into()), repository: repository.to_string(), upload: upload.to_string() };
        self.answer(self.uploads().cancel_upload(self.request(message))).await.map(|v1::CancelUploadResponse {}| ())
    }
}

/// The body of a chunk as messages, and what will be known of why it broke off.
fn body(chunk: Chunk) -> (impl Stream<Item = v1::BodyPart> + Send, Breakage) {
    let breakage = Breakage::default();
    let body = Body { stream: Some(chunk.stream), rest: Bytes::new(), breakage: breakage.clone() };
    (stream::unfold(body, Body::next).map(|part| v1::BodyPart { part: Some(part) }), breakage)
}

/// A body on its way out.
struct Body {
    /// What is still to come, until the end was told.
    stream: Option<stream::BoxStream<'static, std::result::Result<Bytes, BoxError>>>,
    /// What has come and is still to be sent.
    rest: Bytes,
    breakage: Breakage,
}

impl Body {
    async fn next(mut self) -> Option<(Part, Self)> {
        while self.rest.is_empty() {
            match self.stream.as_mut()?.next().await {
                Some(Ok(bytes)) => self.rest = bytes,
                Some(Err(error)) => return Some((self.breakage.keep(error), self.over())),
                None => return Some((Part::End(v1::BodyEnd {}), self.over())),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES_MAX));
        Some((Part::Data(piece), self))
    }

    fn over(self) -> Self {
        Self { stream: None, ..self }
    }
}

/// Why a body broke off. The other process is told in words; the caller gets back the very error that it gave.
#[derive(Clone, Default)]
struct Breakage(Arc<Mutex<Option<BoxError>>>);

impl Breakage {
    fn keep(&self, error: BoxError) -> Part {
        let text = causes(&*error).join(": ");
        *self.0.lock() = Some(error);
        Part::Broken(text)
    }

    fn answer<T>(&self, answer: Answer<T>) -> Result<T> {
        let error = match answer.map(Response::into_inner) {
            Ok(message) => return Ok(message),
            Err(refusal) => status::error(&refusal),
        };
        Err(match (error, self.0.lock().take()) {
            (Error::BodyBroken(_), Some(original)) => Error::BodyBroken(original),
            (error, _) => error,
        })
    }
}
