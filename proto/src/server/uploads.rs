//! Uploads from another process. A body is complete when it says so, and broken off in every other case.

use std::time::Duration;

use bytes::Bytes;
use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::time::timeout;
use tonic::{Request, Response, Streaming};
use zot_contract::{BoxError, Chunk};

use super::Served;
use crate::{
    convert::{ChunkHeader, Malformed, parse, required},
    status::{Answer, Refusal, cause, refusal},
    v1::{self, append_upload_request, body_part::Part, finish_upload_request, upload_service_server::UploadService},
};

/// How long the next piece of a body may take to come. Callers that vanish are noticed sooner, because they answer no pings, and callers
/// have limits of their own: this one is for those that live and do neither send nor give up, for they keep other writers out.
const BODY_IDLE_MAX: Duration = Duration::from_secs(300);

#[tonic::async_trait]
impl UploadService for Served {
    async fn open_upload(&self, request: Request<v1::OpenUploadRequest>) -> Answer<v1::OpenUploadResponse> {
        let asked = request.into_inner();
        let (repository, algorithm) = (parse("repository", &asked.repository)?, parse("algorithm", &asked.algorithm)?);
        let cx = required("context", asked.context)?;
        let upload = self.registry.open_upload(&cx, &repository, algorithm).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(v1::OpenUploadResponse { upload: upload.to_string() }))
    }

    async fn upload_status(&self, request: Request<v1::UploadStatusRequest>) -> Answer<v1::UploadStatusResponse> {
        let asked = request.into_inner();
        let (repository, upload) = (parse("repository", &asked.repository)?, parse("upload", &asked.upload)?);
        let cx = required("context", asked.context)?;
        let status = self.registry.upload_status(&cx, &repository, upload).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(status.into()))
    }

    async fn append_upload(&self, request: Request<Streaming<v1::AppendUploadRequest>>) -> Answer<v1::UploadStatusResponse> {
        let mut messages = request.into_inner();
        let header = match messages.message().await?.and_then(|message| message.part) {
            Some(append_upload_request::Part::Header(header)) => ChunkHeader::try_from(header)?,
            _ => return Err(Malformed::Order { expected: "the header of a chunk" }.into()),
        };
        let chunk = chunk(&header, messages);
        let appended = self.registry.append_upload(&header.cx, &header.repository, header.upload, chunk).await;
        Ok(Response::new(appended.map_err(|error| refusal(&error))?.into()))
    }

    async fn finish_upload(&self, request: Request<Streaming<v1::FinishUploadRequest>>) -> Answer<v1::FinishUploadResponse> {
        let mut messages = request.into_inner();
        let (header, digest): (ChunkHeader, _) = match messages.message().await?.and_then(|message| message.part) {
            Some(finish_upload_request::Part::Header(finish)) => (required("chunk", finish.chunk)?, parse("digest", &finish.digest)?),
            _ => return Err(Malformed::Order { expected: "the header of a last chunk" }.into()),
        };
        let chunk = chunk(&header, messages);
        let finished = self.registry.finish_upload(&header.cx, &header.repository, header.upload, chunk, &digest).await;
        finished.map_err(|error| refusal(&error))?;
        Ok(Response::new(v1::FinishUploadResponse {}))
    }

    async fn cancel_upload(&self, request: Request<v1::CancelUploadRequest>) -> Answer<v1::CancelUploadResponse> {
        let asked = request.into_inner();
        let (repository, upload) = (parse("repository", &asked.repository)?, parse("upload", &asked.upload)?);
        let cx = required("context", asked.context)?;
        self.registry.cancel_upload(&cx, &repository, upload).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(v1::CancelUploadResponse {}))
    }
}

/// The bytes of a chunk.
type Body = BoxStream<'static, Result<Bytes, BoxError>>;

/// The chunk that follows its header.
fn chunk<M: Into<Option<Part>> + Send + 'static>(header: &ChunkHeader, messages: Streaming<M>) -> Chunk {
    Chunk { at: header.at, length: header.length, stream: body(messages) }
}

fn body<M: Into<Option<Part>>>(messages: impl Stream<Item = Result<M, Refusal>> + Send + Unpin + 'static) -> Body {
    stream::try_unfold(messages, async |mut messages| {
        let message = timeout(BODY_IDLE_MAX, messages.next()).await.map_err(|_| "the body stood still for too long")?;
        let piece = piece(message.transpose().map_err(|refusal| cause(&refusal))?)?;
        Ok(piece.map(|bytes| (bytes, messages)))
    })
    .boxed()
}

/// The bytes of a message, or nothing at the end of the body.
fn piece<M: Into<Option<Part>>>(message: Option<M>) -> Result<Option<Bytes>, BoxError> {
    match message.map(Into::into) {
        Some(Some(Part::Data(bytes))) => Ok(Some(bytes)),
        Some(Some(Part::End(v1::BodyEnd {}))) => Ok(None),
        Some(Some(Part::Broken(reason))) => Err(reason.into()),
        Some(None) => Err(Malformed::Order { expected: "a piece of a body" }.into()),
        None => Err("the stream ended before the body".into()),
    }
}

impl From<v1::AppendUploadRequest> for Option<Part> {
    fn from(message: v1::AppendUploadRequest) -> Self {
        match message.part? {
            append_upload_request::Part::Body(body) => body.part,
            append_upload_request::Part::Header(_) => None,
        }
    }
}

impl From<v1::FinishUploadRequest> for Option<Part> {
    fn from(message: v1::FinishUploadRequest) -> Self {
        match message.part? {
            finish_upload_request::Part::Body(body) => body.part,
            finish_upload_request::Part::Header(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};

    use super::{body, piece};
    use crate::v1::{AppendUploadRequest, BodyEnd, BodyPart, ChunkHeader, append_upload_request, body_part::Part};

    fn message(part: Option<Part>) -> Option<AppendUploadRequest> {
        let body = append_upload_request::Part::Body(BodyPart { part });
        Some(AppendUploadRequest { part: Some(body) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_breaks_off() {
        let first = Ok(message(Some(Part::Data("abc".into()))).unwrap());
        let mut body = body(stream::iter([first]).chain(stream::pending()));
        assert_eq!(body.next().await.unwrap().unwrap(), "abc");
        assert!(body.next().await.unwrap().is_err());
    }

    #[test]
    fn only_what_says_so_is_the_end_of_a_body() {
        assert_eq!(piece(message(Some(Part::Data("abc".into())))).unwrap().unwrap(), "abc");
        assert!(piece(message(Some(Part::End(BodyEnd {})))).unwrap().is_none());
        let header = append_upload_request::Part::Header(ChunkHeader::default());
        let others = [
            None,
            message(None),
            message(Some(Part::Broken("connection reset".to_owned()))),
            Some(AppendUploadRequest { part: None }),
            Some(AppendUploadRequest { part: Some(header) }),
        ];
        for other in others {
            assert!(piece(other.clone()).is_err(), "{other:?}");
        }
    }
}
