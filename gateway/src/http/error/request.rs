//! What is wrong with requests themselves, before any registry is asked.

use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode, header};
use zot_auth::{authn::Rejected, rate::TooManyRequests};
use zot_contract::{BoxError, Error};
use zot_oci::{ErrorCode, InvalidDigest, MediaType, RangeError, media_types};

use super::{Code, Refusal, seconds};
use crate::http::{
    percent::InvalidEscape,
    query::Repeated,
    route::{Route, Unroutable},
};

/// When to try again what came before the process serves.
const STARTING_RETRY_AFTER: Duration = Duration::from_secs(5);

/// When to try again what needs somebody who cannot be asked.
const AUTHENTICATION_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Docker's manifests, which are refused only where the configuration does not allow them.
const DOCKER: [MediaType; 2] = [media_types::DOCKER_MANIFEST, media_types::DOCKER_MANIFEST_LIST];

impl Refusal {
    /// A path that names nothing. What it was meant for depends on the method too: a tag that no manifest can have is not found, but also
    /// cannot be pushed.
    pub(crate) fn unroutable(reason: Unroutable, method: &Method) -> Self {
        let (status, code) = match &reason {
            Unroutable::Unknown => (StatusCode::NOT_FOUND, ErrorCode::Unsupported),
            Unroutable::Escape(_) | Unroutable::Name(_) => (StatusCode::BAD_REQUEST, ErrorCode::NameInvalid),
            Unroutable::Digest(_) => (StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid),
            Unroutable::Tag(_) if *method == Method::PUT => (StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid),
            Unroutable::Tag(_) => (StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown),
            Unroutable::Upload => (StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown),
        };
        Self::new(status, code).detail("reason", reason)
    }

    /// A method that the endpoint does not have.
    pub(crate) fn method(route: &Route) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported)
            .detail("allow", route.allow())
            .header(header::ALLOW, HeaderValue::from_static(route.allow()))
    }

    /// Something in the request cannot be understood.
    pub(crate) fn bad_request(code: ErrorCode, reason: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code).detail("reason", reason)
    }

    /// A `Range` that cannot be answered for content of `size` bytes.
    pub(crate) fn range(reason: RangeError, size: u64) -> Self {
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::SizeInvalid)
            .detail("reason", reason)
            .header(header::CONTENT_RANGE, crate::http::header::value(format!("bytes */{size}")))
    }

    /// A manifest larger than the limit.
    pub(crate) fn manifest_too_large(bytes_max: u64) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::ManifestInvalid)
            .detail("reason", format_args!("manifest is larger than {bytes_max} bytes"))
    }

    /// A form larger than the limit.
    pub(crate) fn form_too_large(bytes_max: u64) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid)
            .detail("reason", format_args!("form is larger than {bytes_max} bytes"))
    }

    /// Somebody who is needed to tell whether a proof is good cannot be asked.
    pub(crate) fn authentication_unavailable(what: &'static str, source: BoxError) -> Self {
        Error::Unavailable { what, retry_after: AUTHENTICATION_RETRY_AFTER, source }.into()
    }

    /// A request that came before the process serves.
    pub(crate) fn starting() -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
            .detail("unavailable", "the registry, which is starting")
            .header(header::RETRY_AFTER, seconds(STARTING_RETRY_AFTER))
    }

    /// A manifest of a type that is not accepted.
    pub(crate) fn manifest_type(media_type: &str) -> Self {
        let reason = if DOCKER.iter().any(|docker| docker.as_str() == media_type) {
            "docker schema 2 is accepted only with `docker2s2` in `http.compat`"
        } else {
            "manifests of this media type are not accepted"
        };
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::ManifestInvalid).detail("mediaType", media_type).detail("reason", reason)
    }

    /// More tags with one manifest than the limit.
    pub(crate) fn too_many_tags(tags_max: usize) -> Self {
        Self::new(StatusCode::URI_TOO_LONG, ErrorCode::ManifestInvalid)
            .detail("reason", format_args!("more than {tags_max} tags in one request"))
    }
}

/// What somebody shows as a proof of who they are is no good.
impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Invalid(_) | Rejected::Wrong => {
                Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized).detail("reason", rejected)
            }
            Rejected::Unavailable { what, source } => Self::authentication_unavailable(what, source),
        }
    }
}

/// A client is told when to come again (RFC 6585 section 4).
impl From<TooManyRequests> for Refusal {
    fn from(too_many: TooManyRequests) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests)
            .detail("limit", too_many.per_second)
            .detail("reason", too_many)
            .header(header::RETRY_AFTER, seconds(too_many.retry_after))
            .denied()
    }
}

impl From<InvalidEscape> for Refusal {
    fn from(reason: InvalidEscape) -> Self {
        Self::bad_request(ErrorCode::Unsupported, reason)
    }
}

impl From<Repeated> for Refusal {
    fn from(reason: Repeated) -> Self {
        Self::bad_request(ErrorCode::Unsupported, reason)
    }
}

impl From<InvalidDigest> for Refusal {
    fn from(reason: InvalidDigest) -> Self {
        Self::bad_request(ErrorCode::DigestInvalid, reason)
    }
}
