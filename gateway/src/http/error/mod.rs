//! The only place that decides on statuses and error codes: from what went wrong to what the client is told.
//!
//! A client is told what it can act on. The text of a fault goes to the log, once; the client gets the request's id to ask about it.

mod login;
mod render;
mod request;

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use zot_contract::Error;
use zot_oci::{Digest, ErrorCode};
use zot_runtime::progress::{Stalled, TooSlow};

use super::header::value;

pub(crate) use self::login::{LoginTrouble, STORE_RETRY_AFTER};

/// When to try again what moved while it was asked for: by then everybody goes by the same view.
const MOVED_RETRY_AFTER: Duration = Duration::from_secs(2);

/// When to try again what others were faster to change, again and again.
const CHANGED_RETRY_AFTER: Duration = Duration::from_secs(2);

/// A request that was not done, and why.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Reason>);

#[derive(Debug)]
struct Reason {
    status: StatusCode,
    code: Code,
    detail: Vec<(&'static str, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    denial: bool,
    /// What only the log is told.
    fault: Option<Error>,
}

/// What stands in `code`. The specification has codes for what a client did wrong; for the rest docker's are used, which clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Spec(ErrorCode),
    Unknown,
    Unavailable,
}

impl Code {
    fn as_str(self) -> &'static str {
        match self {
            Self::Spec(code) => code.as_str(),
            Self::Unknown => "UNKNOWN",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Spec(code) => code.message(),
            Self::Unknown => "the registry failed, its log says why",
            Self::Unavailable => "the registry cannot do this at the moment",
        }
    }
}

impl Refusal {
    /// A refusal that the client can act on.
    pub(crate) fn new(status: StatusCode, code: ErrorCode) -> Self {
        Self::of(status, Code::Spec(code))
    }

    /// A request that panicked.
    pub(crate) fn panicked() -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown)
    }

    fn of(status: StatusCode, code: Code) -> Self {
        let denial = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
        Self(Box::new(Reason { status, code, detail: Vec::new(), headers: Vec::new(), denial, fault: None }))
    }

    /// Says more.
    pub(crate) fn detail(mut self, key: &'static str, text: impl ToString) -> Self {
        self.0.detail.push((key, text.to_string()));
        self
    }

    /// Adds a header to the response.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The same as a denial, whatever its status: the client may not do it, and that is to be written down.
    pub(crate) fn denied(mut self) -> Self {
        self.0.denial = true;
        self
    }

    /// Whether something was denied that could have been done.
    pub(crate) fn is_denial(&self) -> bool {
        self.0.denial
    }

    /// The same for somebody who has yet to say who they are.
    pub(crate) fn unproved(mut self) -> Self {
        (self.0.status, self.0.code) = (StatusCode::UNAUTHORIZED, Code::Spec(ErrorCode::Unauthorized));
        self
    }

    /// The status that the client gets.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What the log has to be told.
    pub(crate) fn fault(&self) -> Option<&Error> {
        self.0.fault.as_ref()
    }

    fn fault_of(self, error: Error) -> Self {
        let mut reason = self.0;
        reason.fault = Some(error);
        Self(reason)
    }
}

/// The table of the contract's errors. Exhaustive: a new error does not compile until it is decided here.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        use ErrorCode as C;
        use StatusCode as S;
        match error {
            Error::NameUnknown { repository } => Self::new(S::NOT_FOUND, C::NameUnknown).detail("name", repository),
            Error::BlobUnknown { digest, .. } => Self::new(S::NOT_FOUND, C::BlobUnknown).detail("digest", digest),
            Error::BlobReferenced { digest, manifest, .. } => still_needed(digest).detail("manifest", manifest),
            Error::ManifestReferenced { digest, index, .. } => still_needed(digest).detail("index", index),
            Error::ManifestUnknown { reference, .. } => Self::new(S::NOT_FOUND, C::ManifestUnknown).detail("reference", reference),
            Error::ManifestInvalid { reason } => Self::new(S::BAD_REQUEST, C::ManifestInvalid).detail("reason", reason),
            // The specification names the code and leaves the status open; docker's registry and zot answer 400.
            Error::ManifestBlobUnknown { digest, .. } => Self::new(S::BAD_REQUEST, C::ManifestBlobUnknown).detail("digest", digest),
            Error::TagExists { tag, .. } => Self::new(S::FORBIDDEN, C::Denied)
                .detail("tag", &tag)
                .detail("reason", format_args!("tag {tag} exists, and to move it is not granted")),
            Error::TagUnknown { tag, .. } => Self::new(S::FORBIDDEN, C::Denied)
                .detail("tag", &tag)
                .detail("reason", format_args!("tag {tag} does not exist, and to make it is not granted")),
            // zot's answer.
            Error::ManifestTagged { digest, tags, .. } => Self::new(S::CONFLICT, C::ManifestInvalid)
                .detail("digest", digest)
                .detail("reason", format_args!("{tags} tags point to the manifest, and all of them would go with it"))
                .denied(),
            Error::DigestMismatch { expected, found } => {
                Self::new(S::BAD_REQUEST, C::DigestInvalid).detail("digest", expected).detail("found", found)
            }
            Error::UploadUnknown { upload } => Self::new(S::NOT_FOUND, C::BlobUploadUnknown).detail("upload", upload),
            Error::UploadOffset { upload, expected, found } => Self::new(S::RANGE_NOT_SATISFIABLE, C::BlobUploadInvalid)
                .detail("upload", upload)
                .detail("reason", format_args!("the chunk starts at byte {found}, the upload has {expected}"))
                .header(header::RANGE, accepted(expected)),
            // Whoever lost the race may ask for the upload's status and go on from there, or leave it to the winner.
            Error::UploadBusy { upload } => Self::new(S::CONFLICT, C::BlobUploadInvalid)
                .detail("upload", upload)
                .detail("reason", "another request is writing to the upload"),
            Error::UserChanged { .. } => Self::of(S::SERVICE_UNAVAILABLE, Code::Unavailable)
                .detail("unavailable", "a moment without other changes of the user")
                .header(header::RETRY_AFTER, seconds(CHANGED_RETRY_AFTER))
                .fault_of(error),
            Error::UserTooLarge { .. } => Self::new(S::PAYLOAD_TOO_LARGE, C::SizeInvalid)
                .detail("reason", "what is kept for the user would be too large: remove something first"),
            Error::BodyBroken(source) if source.is::<Stalled>() || source.is::<TooSlow>() => Self::new(S::REQUEST_TIMEOUT, C::SizeInvalid)
                .detail("reason", source)
                .header(header::CONNECTION, HeaderValue::from_static("close")),
            Error::BodyBroken(source) => Self::new(S::BAD_REQUEST, C::SizeInvalid).detail("reason", source),
            // Whoever routes follows a move; what gets here moved twice.
            Error::Moved { .. } => Self::of(S::SERVICE_UNAVAILABLE, Code::Unavailable)
                .detail("unavailable", "repository")
                .header(header::RETRY_AFTER, seconds(MOVED_RETRY_AFTER))
                .fault_of(error),
            Error::Unavailable { what, retry_after, .. } => Self::of(S::SERVICE_UNAVAILABLE, Code::Unavailable)
                .detail("unavailable", what)
                .header(header::RETRY_AFTER, seconds(retry_after))
                .fault_of(error),
            Error::Internal(_) => Self::panicked().fault_of(error),
        }
    }
}

/// zot answers 405, the status that the specification has for deletion that is not possible.
fn still_needed(digest: Digest) -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Denied)
        .detail("digest", digest)
        .header(header::ALLOW, HeaderValue::from_static("GET, HEAD"))
}

/// The `Range` of an upload that has accepted `offset` bytes. The specification has no way to say "none"; `0-0` is what registries say.
pub(crate) fn accepted(offset: u64) -> HeaderValue {
    value(format!("0-{}", offset.saturating_sub(1)))
}

/// Whole seconds, at least one.
fn seconds(duration: Duration) -> HeaderValue {
    HeaderValue::from(duration.as_millis().div_ceil(1000).clamp(1, u128::from(u32::MAX)) as u64)
}

#[cfg(test)]
mod tests;
