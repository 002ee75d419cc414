//! Blobs for another process.

use bytes::Bytes;
use futures::{StreamExt as _, future, stream};
use tonic::{Request, Response};
use zot_contract::{BlobBody, BlobUrl, Error, Fetched};

use super::{Answers, Served};
use crate::{
    PIECE_BYTES_MAX,
    convert::{parse, parse_optional, required},
    status::{Answer, Refusal, refusal},
    v1::{self, blob_service_server::BlobService, read_blob_response::Part},
};

#[tonic::async_trait]
impl BlobService for Served {
    type ReadBlobStream = Answers<v1::ReadBlobResponse>;

    async fn stat_blob(&self, request: Request<v1::StatBlobRequest>) -> Answer<v1::StatBlobResponse> {
        let asked = request.into_inner();
        let (repository, digest) = (parse("repository", &asked.repository)?, parse("digest", &asked.digest)?);
        let cx = required("context", asked.context)?;
        let info = self.registry.stat_blob(&cx, &repository, &digest).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(info.into()))
    }

    async fn read_blob(&self, request: Request<v1::ReadBlobRequest>) -> Answer<Self::ReadBlobStream> {
        let asked = request.into_inner();
        let (repository, digest) = (parse("repository", &asked.repository)?, parse("digest", &asked.digest)?);
        let cx = required("context", asked.context)?;
        let range = asked.range.map(TryInto::try_into).transpose()?;
        let fetched = if asked.elsewhere && range.is_none() {
            self.registry.fetch_blob(&cx, &repository, &digest).await
        } else {
            self.registry.read_blob(&cx, &repository, &digest, range).await.map(Fetched::Here)
        };
        match fetched.map_err(|error| refusal(&error))? {
            Fetched::Here(body) => Ok(Response::new(messages(body))),
            Fetched::Elsewhere(url) => Ok(Response::new(elsewhere(&url))),
        }
    }

    async fn mount_blob(&self, request: Request<v1::MountBlobRequest>) -> Answer<v1::MountBlobResponse> {
        let asked = request.into_inner();
        let (repository, digest) = (parse("repository", &asked.repository)?, parse("digest", &asked.digest)?);
        let from = parse_optional("source of the mount", asked.from.as_deref())?;
        let cx = required("context", asked.context)?;
        let mounted = self.registry.mount_blob(&cx, &repository, &digest, from.as_ref()).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(v1::MountBlobResponse { mounted }))
    }

    async fn delete_blob(&self, request: Request<v1::DeleteBlobRequest>) -> Answer<v1::DeleteBlobResponse> {
        let asked = request.into_inner();
        let (repository, digest) = (parse("repository", &asked.repository)?, parse("digest", &asked.digest)?);
        let cx = required("context", asked.context)?;
        self.registry.delete_blob(&cx, &repository, &digest).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(v1::DeleteBlobResponse {}))
    }
}

/// The header of a blob, then its bytes in pieces that fit a message.
fn messages(body: BlobBody) -> Answers<v1::ReadBlobResponse> {
    let header = Part::Header(v1::ReadBlobHeader { size: body.size });
    let data = body.in_memory().flat_map(|bytes| stream::iter(pieces(bytes)));
    let parts = stream::once(future::ready(Ok(header))).chain(data);
    parts.map(|part| part.map(|part| v1::ReadBlobResponse { part: Some(part) })).boxed()
}

/// Where a blob is.
fn elsewhere(url: &BlobUrl) -> Answers<v1::ReadBlobResponse> {
    let part = Part::Elsewhere(v1::BlobElsewhere { url: url.as_str().to_owned() });
    stream::once(future::ready(Ok(v1::ReadBlobResponse { part: Some(part) }))).boxed()
}

fn pieces(bytes: Result<Bytes, Error>) -> Vec<Result<Part, Refusal>> {
    match bytes {
        Ok(mut rest) => {
            let mut pieces = Vec::with_capacity(rest.len().div_ceil(PIECE_BYTES_MAX));
            while !rest.is_empty() {
                pieces.push(Ok(Part::Data(rest.split_to(rest.len().min(PIECE_BYTES_MAX)))));
            }
            pieces
        }
        Err(error) => vec![Err(refusal(&error))],
    }
}
