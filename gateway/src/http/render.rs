//! Responses that several resources share.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use zot_oci::Digest;

use super::{
    header::{DOCKER_CONTENT_DIGEST, digest, etag_and_digest, value},
    route::Route,
};

/// The most headers that a response usually has; room for them is made at once.
const HEADERS: usize = 12;

/// A response without headers.
pub(crate) fn response(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS);
    response
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    response(status, Body::empty())
}

/// A response with a JSON body, or what is as good as one.
pub(crate) fn json(content_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = response(StatusCode::OK, body);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// Content that the client has already (RFC 9110 section 15.4.5).
pub(crate) fn not_modified(content: &Digest) -> Response {
    let mut response = empty(StatusCode::NOT_MODIFIED);
    identify(response.headers_mut(), content);
    response
}

/// Something that is stored now and can be had at `place`.
pub(crate) fn created(place: &Route, content: &Digest) -> Response {
    let mut response = empty(StatusCode::CREATED);
    response.headers_mut().insert(header::LOCATION, value(place.to_string()));
    response.headers_mut().insert(DOCKER_CONTENT_DIGEST, digest(content));
    response
}

/// Says which content a response is about.
pub(crate) fn identify(headers: &mut HeaderMap, content: &Digest) {
    let (etag, digest) = etag_and_digest(content);
    headers.insert(header::ETAG, etag);
    headers.insert(DOCKER_CONTENT_DIGEST, digest);
}
