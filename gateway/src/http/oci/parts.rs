//! Several ranges of a blob in one response: `multipart/byteranges` (RFC 9110 section 14.6).

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use axum::{http::StatusCode, response::Response};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use zot_contract::{BlobStream, Context, Error, Registry};
use zot_oci::{ByteRange, Digest, RepositoryName};

use super::blobs::describe;
use crate::http::{Call, exact_body::ExactBody, header::value, render::response};

/// One blob, to be read range by range after the handler has returned.
struct Source {
    registry: Arc<dyn Registry>,
    cx: Context,
    repository: RepositoryName,
    digest: Digest,
}

/// The response with all ranges. Each is opened only when the one before it is sent.
pub(super) fn multipart(call: &Call<'_>, repository: &RepositoryName, digest: &Digest, ranges: Vec<ByteRange>, size: u64) -> Response {
    // Content that contains the boundary would look like a part: nobody can foresee it.
    let boundary = format!("zot-{:016x}", RandomState::new().hash_one(digest));
    let parts: Vec<(Bytes, ByteRange)> = ranges.into_iter().map(|range| (heading(&boundary, range, size), range)).collect();
    let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
    let length = parts.iter().map(|(heading, range)| heading.len() as u64 + range.length()).sum::<u64>() + end.len() as u64;
    let source = Source { registry: Arc::clone(call.registry), cx: call.cx.clone(), repository: repository.clone(), digest: *digest };
    let mut response = response(StatusCode::PARTIAL_CONTENT, ExactBody::of(source.read(parts, end), length, call.outlet.clone()));
    describe(response.headers_mut(), digest, value(format!("multipart/byteranges; boundary={boundary}")));
    response
}

fn heading(boundary: &str, range: ByteRange, size: u64) -> Bytes {
    let (first, last) = (range.first(), range.last());
    format!("\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {first}-{last}/{size}\r\n\r\n").into()
}

impl Source {
    fn read(self, parts: Vec<(Bytes, ByteRange)>, end: Bytes) -> BlobStream {
        let source = Arc::new(self);
        let part = move |(heading, range): (Bytes, ByteRange)| {
            let source = Arc::clone(&source);
            async move {
                let (cx, repository, digest) = (&source.cx, &source.repository, &source.digest);
                let blob = source.registry.read_blob(cx, repository, digest, Some(range)).await?;
                Ok::<_, Error>(stream::iter([Ok(heading.into())]).chain(blob.stream))
            }
        };
        stream::iter(parts).then(part).try_flatten().chain(stream::iter([Ok(end.into())])).boxed()
    }
}
