//! Blobs, whole and in parts (end-2, end-10).
//!
//! Every blob is served as `application/octet-stream`, whatever a manifest calls it: who pushes a blob shall not decide what a browser
//! makes of it on the registry's origin.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use zot_contract::{BlobUrl, Error, Fetched};
use zot_oci::{ByteRange, Digest, RangeError, RangeRequest, RepositoryName};

use super::parts;
use crate::http::{
    Call, Refusal, condition,
    exact_body::ExactBody,
    header::{BYTES, OCTET_STREAM, value},
    render::{empty, identify, not_modified, response},
};

/// `GET /v2/<name>/blobs/<digest>`.
pub(crate) async fn get(call: &Call<'_>, repository: &RepositoryName, digest: &Digest) -> Result<Response, Refusal> {
    if condition::is_known(call.headers(), digest) {
        call.registry.stat_blob(call.cx, repository, digest).await?;
        return Ok(not_modified(digest));
    }
    if call.headers().contains_key(header::RANGE) && condition::range_applies(call.headers(), digest) {
        return ranges(call, repository, digest).await;
    }
    let blob = match fetch(call, repository, digest).await? {
        Fetched::Here(blob) => blob,
        Fetched::Elsewhere(url) => return Ok(elsewhere(&url, digest)),
    };
    let mut response = response(StatusCode::OK, ExactBody::of(blob.stream, blob.size, call.outlet.clone()));
    describe(response.headers_mut(), digest, OCTET_STREAM);
    // The server would add it, but over HTTP/2 not for an empty blob.
    response.headers_mut().insert(header::CONTENT_LENGTH, blob.size.into());
    Ok(response)
}

/// `HEAD /v2/<name>/blobs/<digest>`.
pub(crate) async fn head(call: &Call<'_>, repository: &RepositoryName, digest: &Digest) -> Result<Response, Refusal> {
    let info = call.registry.stat_blob(call.cx, repository, digest).await?;
    if condition::is_known(call.headers(), digest) {
        return Ok(not_modified(digest));
    }
    let mut response = empty(StatusCode::OK);
    describe(response.headers_mut(), digest, OCTET_STREAM);
    response.headers_mut().insert(header::CONTENT_LENGTH, info.size.into());
    Ok(response)
}

/// `DELETE /v2/<name>/blobs/<digest>`.
pub(crate) async fn delete(call: &Call<'_>, repository: &RepositoryName, digest: &Digest) -> Result<Response, Refusal> {
    call.registry.delete_blob(call.cx, repository, digest).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// Who asks for ranges is never sent elsewhere, as with zot: not even for the whole blob because it is another one than the client believes.
async fn fetch(call: &Call<'_>, repository: &RepositoryName, digest: &Digest) -> Result<Fetched, Error> {
    if call.headers().contains_key(header::RANGE) {
        return call.registry.read_blob(call.cx, repository, digest, None).await.map(Fetched::Here);
    }
    call.registry.fetch_blob(call.cx, repository, digest).await
}

fn elsewhere(url: &BlobUrl, digest: &Digest) -> Response {
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    identify(response.headers_mut(), digest);
    response.headers_mut().insert(header::LOCATION, value(url.as_str().to_owned()));
    response
}

async fn ranges(call: &Call<'_>, repository: &RepositoryName, digest: &Digest) -> Result<Response, Refusal> {
    let size = call.registry.stat_blob(call.cx, repository, digest).await?.size;
    let ranges = wanted(call.headers(), size).map_err(|reason| Refusal::range(reason, size))?;
    let mut response = match ranges.as_slice() {
        [range] => one_part(call, repository, digest, *range).await?,
        _ => parts::multipart(call, repository, digest, ranges, size),
    };
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    Ok(response)
}

/// zot answers 416 to a range that makes no sense, where RFC 9110 would also allow to ignore it; so do we.
fn wanted(headers: &HeaderMap, size: u64) -> Result<Vec<ByteRange>, RangeError> {
    let mut values = headers.get_all(header::RANGE).iter();
    let text = values.next().and_then(|value| value.to_str().ok()).filter(|_| values.next().is_none());
    RangeRequest::parse(text.ok_or(RangeError::Malformed)?)?.resolve(size)
}

async fn one_part(call: &Call<'_>, repository: &RepositoryName, digest: &Digest, range: ByteRange) -> Result<Response, Refusal> {
    let blob = call.registry.read_blob(call.cx, repository, digest, Some(range)).await?;
    let mut response = response(StatusCode::PARTIAL_CONTENT, ExactBody::of(blob.stream, range.length(), call.outlet.clone()));
    describe(response.headers_mut(), digest, OCTET_STREAM);
    let content_range = format!("bytes {}-{}/{}", range.first(), range.last(), blob.size);
    response.headers_mut().insert(header::CONTENT_RANGE, value(content_range));
    Ok(response)
}

/// The headers that every response with bytes of a blob has.
pub(super) fn describe(headers: &mut HeaderMap, digest: &Digest, content_type: HeaderValue) {
    identify(headers, digest);
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::ACCEPT_RANGES, BYTES);
}
