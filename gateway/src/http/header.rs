//! Names and values of headers, made once where they are constant.

use axum::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use zot_contract::UploadId;
use zot_oci::{Digest, MediaType, media_types};

/// `Docker-Content-Digest`: the digest of what was stored or is served.
pub(crate) const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// `Docker-Distribution-API-Version`: how docker recognises a registry.
pub(crate) const DOCKER_API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
/// The version of docker's API, which is the specification's.
pub(crate) const API_VERSION: HeaderValue = HeaderValue::from_static("registry/2.0");
/// `X-ZOT-API-CLIENT`: which program of zot's asks.
pub(crate) const ZOT_API_CLIENT: HeaderName = HeaderName::from_static("x-zot-api-client");
/// The user interface, in that header.
pub(crate) const ZOT_UI: HeaderValue = HeaderValue::from_static("zot-ui");
/// `Docker-Upload-UUID`: the identifier of an upload, docker's name for it.
pub(crate) const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
/// `Blob-Upload-UUID`: the identifier of an upload, zot's name for it.
pub(crate) const BLOB_UPLOAD_UUID: HeaderName = HeaderName::from_static("blob-upload-uuid");
/// `OCI-Subject`: the subject under which a pushed manifest is listed as a referrer.
pub(crate) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// `OCI-Tag`: a tag that was pushed with a manifest by digest.
pub(crate) const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
/// `OCI-Filters-Applied`: which filters a list of referrers went through.
pub(crate) const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// `X-Request-Id`: the request's id, as it stands in the log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// `traceparent`: the trace that the request belongs to (W3C Trace Context section 3.2).
pub(crate) const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// The content type of error bodies and lists.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The content type of every blob.
pub(crate) const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// The content type of a list of referrers.
pub(crate) const OCI_INDEX: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");
/// Ranges are in bytes.
pub(crate) const BYTES: HeaderValue = HeaderValue::from_static("bytes");

const NOTHING: HeaderValue = HeaderValue::from_static("");

/// The value of a header whose text is made of names, digests and numbers, none of which a header could not hold.
pub(crate) fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(NOTHING)
}

/// A digest as a value.
pub(crate) fn digest(digest: &Digest) -> HeaderValue {
    value(digest.to_string())
}

/// A digest as a strong entity tag (RFC 9110 section 8.8.3), for content under a digest never changes; and the digest as a value.
pub(crate) fn etag_and_digest(digest: &Digest) -> (HeaderValue, HeaderValue) {
    let quoted = Bytes::from(format!("\"{digest}\""));
    let bare = quoted.slice(1..quoted.len() - 1);
    (shared(quoted), shared(bare))
}

fn shared(bytes: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes).unwrap_or(NOTHING)
}

/// An upload as a value.
pub(crate) fn upload(upload: UploadId) -> HeaderValue {
    value(upload.to_string())
}

/// A media type as a value.
pub(crate) fn media_type(media_type: &MediaType) -> HeaderValue {
    const OCI_MANIFEST: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.manifest.v1+json");
    match media_type {
        known if *known == media_types::OCI_MANIFEST => OCI_MANIFEST,
        known if *known == media_types::OCI_INDEX => OCI_INDEX,
        other => value(other.to_string()),
    }
}
