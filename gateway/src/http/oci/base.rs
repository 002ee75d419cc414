//! What a client asks first: is this a registry (end-1), and what can it do beyond the specification.

use axum::{http::HeaderValue, response::Response};

use crate::http::{
    header::{DOCKER_API_VERSION, JSON},
    render::json,
};

/// `GET /v2/`.
pub(crate) fn supported() -> Response {
    const VERSION: HeaderValue = HeaderValue::from_static("registry/2.0");
    let mut response = json(JSON, "{}");
    response.headers_mut().insert(DOCKER_API_VERSION, VERSION);
    response
}

/// `GET /v2/_oci/ext/discover`: the extensions of this registry, none so far.
pub(crate) fn extensions() -> Response {
    json(JSON, r#"{"extensions":[]}"#)
}
