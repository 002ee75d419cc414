//! What a client asks first: is this a registry (end-1), and what can it do beyond the specification.

use axum::response::Response;

use crate::http::{
    header::{API_VERSION, DOCKER_API_VERSION, JSON},
    render::json,
};

/// `GET /v2/`.
pub(crate) fn supported() -> Response {
    let mut response = json(JSON, "{}");
    response.headers_mut().insert(DOCKER_API_VERSION, API_VERSION);
    response
}

/// `GET /v2/_oci/ext/discover`: the extensions of this registry, none so far.
pub(crate) fn extensions() -> Response {
    json(JSON, r#"{"extensions":[]}"#)
}
