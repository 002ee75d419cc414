//! Blobs on their way in (end-4, end-5, end-6, end-11, end-13, end-14).
//!
//! A location is relative and names the upload in its path, so that it works behind any proxy and no client can lose a part of it.

use std::time::Duration;

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use zot_contract::{Chunk, Error, UploadId};
use zot_oci::{Algorithm, Digest, ErrorCode, RepositoryName};

use crate::http::{
    Call, Refusal, RequestBody, Route, content_range,
    error::accepted,
    header::{self as headers, BLOB_UPLOAD_UUID, DOCKER_UPLOAD_UUID},
    render::{created, empty},
};

/// When a client should send a whole blob again whose upload was lost on the way.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// `POST /v2/<name>/blobs/uploads/`: opens an upload, unless `digest` says that the whole blob is here, or `mount` that it is elsewhere.
pub(crate) async fn open(call: &Call<'_>, repository: &RepositoryName, body: RequestBody) -> Result<Response, Refusal> {
    let query = call.query()?;
    if let Some(digest) = query.one("digest")? {
        return push(call, repository, digest.parse()?, body).await;
    }
    let mut algorithm = match query.one("digest-algorithm")? {
        Some(name) => name.parse()?,
        None => Algorithm::default(),
    };
    if let Some(digest) = query.one("mount")? {
        let digest: Digest = digest.parse()?;
        algorithm = digest.algorithm();
        if mount(call, repository, &digest, query.one("from")?).await? {
            return Ok(created(&blob(repository, digest), &digest));
        }
    }
    let upload = call.registry.open_upload(call.cx, repository, algorithm).await?;
    Ok(session(StatusCode::ACCEPTED, repository, upload, 0))
}

/// Without `from` any repository will do, for whoever may read them all. To others the answer is as if nobody had the blob: it must not tell what is
/// in repositories that they cannot read, the one that it goes to included. A source that is no name has no blobs.
async fn mount(call: &Call<'_>, repository: &RepositoryName, digest: &Digest, from: Option<&str>) -> Result<bool, Error> {
    let Ok(from) = from.map(str::parse::<RepositoryName>).transpose() else { return Ok(false) };
    if !from.as_ref().map_or_else(|| call.permit.may_read_everything(), |from| call.permit.may_read(from)) {
        return Ok(false);
    }
    if let Some(from) = from.as_ref().filter(|_| !call.permit.may_read(repository)) {
        match call.registry.stat_blob(call.cx, from, digest).await {
            Err(Error::BlobUnknown { .. } | Error::NameUnknown { .. }) => return Ok(false),
            other => drop(other?),
        }
    }
    call.registry.mount_blob(call.cx, repository, digest, from.as_ref()).await
}

/// The whole blob in one request. Nobody learns the upload's name, so it does not outlive the request.
async fn push(call: &Call<'_>, repository: &RepositoryName, digest: Digest, body: RequestBody) -> Result<Response, Refusal> {
    let upload = call.registry.open_upload(call.cx, repository, digest.algorithm()).await?;
    let pushed = call.registry.finish_upload(call.cx, repository, upload, body.into_chunk(), &digest);
    if let Err(error) = pushed.await {
        if let Err(error) = call.registry.cancel_upload(call.cx, repository, upload).await {
            tracing::debug!(%repository, %upload, %error, "could not cancel an upload that failed, it will expire");
        }
        return Err(unnamed(error).into());
    }
    Ok(created(&blob(repository, digest), &digest))
}

/// What became of an upload that its client never heard of. One that is gone, or that was sent to a node which cannot go on with it, is nothing that
/// the client could have got wrong: it can send the same again.
fn unnamed(error: Error) -> Error {
    match error {
        Error::UploadUnknown { .. } | Error::UploadBusy { .. } | Error::UploadOffset { .. } => {
            Error::Unavailable { what: "what is known of uploads under way", retry_after: RETRY_AFTER, source: error.into() }
        }
        error => error,
    }
}

/// `GET /v2/<name>/blobs/uploads/<id>`: how far it is.
pub(crate) async fn status(call: &Call<'_>, repository: &RepositoryName, upload: UploadId) -> Result<Response, Refusal> {
    let status = call.registry.upload_status(call.cx, repository, upload).await?;
    Ok(session(StatusCode::NO_CONTENT, repository, upload, status.offset))
}

/// `PATCH /v2/<name>/blobs/uploads/<id>`: a chunk, at the place that `Content-Range` says or else at the end.
pub(crate) async fn append(call: &Call<'_>, repository: &RepositoryName, upload: UploadId, body: RequestBody) -> Result<Response, Refusal> {
    let appended = call.registry.append_upload(call.cx, repository, upload, chunk(call, body)?);
    let status = appended.await.map_err(|error| in_session(error, repository, upload))?;
    Ok(session(StatusCode::ACCEPTED, repository, upload, status.offset))
}

/// `PUT /v2/<name>/blobs/uploads/<id>?digest=`: the last chunk, which may be all or nothing, and the end.
pub(crate) async fn finish(call: &Call<'_>, repository: &RepositoryName, upload: UploadId, body: RequestBody) -> Result<Response, Refusal> {
    let query = call.query()?;
    let digest = query.one("digest")?;
    let digest: Digest = digest.ok_or_else(|| Refusal::bad_request(ErrorCode::DigestInvalid, "parameter `digest` is missing"))?.parse()?;
    let finished = call.registry.finish_upload(call.cx, repository, upload, chunk(call, body)?, &digest);
    finished.await.map_err(|error| in_session(error, repository, upload))?;
    Ok(created(&blob(repository, digest), &digest))
}

/// `DELETE /v2/<name>/blobs/uploads/<id>`.
pub(crate) async fn cancel(call: &Call<'_>, repository: &RepositoryName, upload: UploadId) -> Result<Response, Refusal> {
    call.registry.cancel_upload(call.cx, repository, upload).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn chunk(call: &Call<'_>, body: RequestBody) -> Result<Chunk, Refusal> {
    let Some(value) = call.headers().get(header::CONTENT_RANGE) else {
        return Ok(body.into_chunk());
    };
    let invalid = |reason| Refusal::bad_request(ErrorCode::BlobUploadInvalid, reason);
    let text = value.to_str().map_err(|_| invalid(content_range::InvalidContentRange))?;
    let range = content_range::parse(text).map_err(invalid)?;
    match body.announced() {
        Some(announced) if announced != range.length() => Err(Refusal::bad_request(
            ErrorCode::SizeInvalid,
            format!("Content-Range covers {} bytes, Content-Length says {announced}", range.length()),
        )),
        _ => Ok(body.into_chunk_of(range)),
    }
}

/// Tells also where the upload is to be found: its client can ask for its status there and go on.
fn in_session(error: Error, repository: &RepositoryName, upload: UploadId) -> Refusal {
    let refusal = Refusal::from(error);
    match refusal.status() {
        StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::CONFLICT => {
            refusal.header(header::LOCATION, location(repository, upload)).header(DOCKER_UPLOAD_UUID, headers::upload(upload))
        }
        _ => refusal,
    }
}

fn session(status: StatusCode, repository: &RepositoryName, upload: UploadId, offset: u64) -> Response {
    let mut response = empty(status);
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::LOCATION, location(repository, upload));
    headers.insert(header::RANGE, accepted(offset));
    headers.insert(DOCKER_UPLOAD_UUID, headers::upload(upload));
    headers.insert(BLOB_UPLOAD_UUID, headers::upload(upload));
    response
}

fn location(repository: &RepositoryName, upload: UploadId) -> axum::http::HeaderValue {
    let repository = repository.clone();
    headers::value(Route::Upload { repository, upload }.to_string())
}

fn blob(repository: &RepositoryName, digest: Digest) -> Route {
    Route::Blob { repository: repository.clone(), digest }
}
