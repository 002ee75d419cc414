//! The one table between the contract's errors and the statuses of gRPC. No other file names a code.
//!
//! The typed error travels in the details of the status. The code is for generic tools, and for readers that find no details they understand.

use std::{error::Error as StdError, io, time::Duration};

use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Response, Status};
use zot_contract::{BoxError, Error};

use crate::{
    PlaneError,
    convert::{Malformed, causes, rebuilt},
    v1,
};

/// What a server answers.
pub(crate) type Answer<T> = Result<Response<T>, Refusal>;
/// An error on its way through gRPC.
pub(crate) type Refusal = Status;

/// When to try again if the other process does not say.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Marks the typed error among the details.
const ERROR_TYPE: &str = "type.googleapis.com/zot.v1.Error";

/// The other process did not answer: it could not be reached, or the way to it broke off. Whether it did what it was asked is not known.
///
/// It is the source of the [`Error::Unavailable`] that a [`RemoteRegistry`](crate::RemoteRegistry) then returns.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unreachable(BoxError);

impl Unreachable {
    /// Whether `error` says no more than that the other process did not answer, so that another one may be asked.
    pub fn caused(error: &Error) -> bool {
        matches!(error, Error::Unavailable { source, .. } if source.is::<Self>())
    }
}

/// The status that tells the other end of `error`.
pub(crate) fn refusal(error: &Error) -> Refusal {
    let (code, message) = (code(error), error.to_string());
    let any = Any { type_url: ERROR_TYPE.to_owned(), value: v1::Error::from(error).encode_to_vec() };
    let details = v1::Details { code: code.into(), message: message.clone(), details: vec![any] };
    Status::with_details(code, message, details.encode_to_vec().into())
}

/// What a status says, where nothing else carries it.
pub(crate) fn details(status: &Refusal) -> v1::Details {
    let typed = v1::Details::decode(status.details()).unwrap_or_default();
    v1::Details { code: status.code().into(), message: status.message().to_owned(), details: typed.details }
}

/// The status that was told so.
pub(crate) fn told(details: v1::Details) -> Refusal {
    let bytes = details.encode_to_vec();
    Status::with_details(details.code.into(), details.message, bytes.into())
}

fn code(error: &Error) -> Code {
    match error {
        Error::NameUnknown { .. } | Error::BlobUnknown { .. } | Error::ManifestUnknown { .. } | Error::UploadUnknown { .. } => {
            Code::NotFound
        }
        Error::BlobReferenced { .. }
        | Error::ManifestReferenced { .. }
        | Error::ManifestTagged { .. }
        | Error::ManifestBlobUnknown { .. }
        | Error::TagUnknown { .. } => Code::FailedPrecondition,
        Error::TagExists { .. } => Code::AlreadyExists,
        Error::ManifestInvalid { .. } | Error::DigestMismatch { .. } | Error::UserTooLarge { .. } => Code::InvalidArgument,
        Error::UploadOffset { .. } => Code::OutOfRange,
        Error::UploadBusy { .. } | Error::UserChanged { .. } | Error::BodyBroken(_) | Error::Moved { .. } => Code::Aborted,
        Error::Unavailable { .. } => Code::Unavailable,
        Error::Internal(_) => Code::Internal,
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::invalid_argument(causes(&malformed).join(": "))
    }
}

/// The error that a status tells of.
pub(crate) fn error(status: &Refusal) -> Error {
    let Some(wire) = typed(status) else {
        return untyped(status, None);
    };
    let retry_after = wire.retry_after_milliseconds.map(Duration::from_millis);
    wire.try_into().unwrap_or_else(|_: Malformed| untyped(status, retry_after))
}

/// The error that did not come within its deadline.
pub(crate) fn overdue(deadline: Duration) -> Error {
    unreachable(vec![format!("no answer within {} ms", deadline.as_millis())])
}

/// The error of a stream that stopped before its end, whatever its status says.
pub(crate) fn broke_off() -> Error {
    unreachable(vec!["the stream ended before its end".to_owned()])
}

/// The error of a connection that does not come about, or breaks off.
pub(crate) fn lost(error: &io::Error) -> Error {
    unreachable(causes(error))
}

/// Why the other process stopped sending, in words.
pub(crate) fn cause(status: &Refusal) -> BoxError {
    rebuilt(texts(status))
}

/// The typed error in the details, if there is one and it can be read.
fn typed(status: &Refusal) -> Option<v1::Error> {
    let details = v1::Details::decode(status.details()).ok()?;
    let any = details.details.into_iter().find(|any| any.type_url == ERROR_TYPE)?;
    v1::Error::decode(any.value.as_slice()).ok()
}

/// What can be told without a typed error: the wire failed, or the other process speaks of something that this one does not know.
fn untyped(status: &Refusal, retry_after: Option<Duration>) -> Error {
    let texts = texts(status);
    match status.code() {
        _ if is_of_the_way(status) => unreachable(texts),
        // A node that stops says so without details.
        Code::Unavailable if retry_after.is_none() => unreachable(texts),
        _ if retry_after.is_some() => unavailable(retry_after.unwrap_or(RETRY_AFTER), texts),
        Code::Unavailable | Code::ResourceExhausted | Code::Aborted => unavailable(RETRY_AFTER, texts),
        _ => Error::Internal(rebuilt(texts)),
    }
}

fn texts(status: &Refusal) -> Vec<String> {
    [status.message().to_owned()].into_iter().chain(status.source().into_iter().flat_map(causes)).collect()
}

/// Whether a status tells of the way to the other process, not of what it did. Only a status made at this end has a source.
pub(crate) fn is_of_the_way(status: &Refusal) -> bool {
    status.source().is_some() || matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded)
}

impl From<PlaneError> for Refusal {
    fn from(error: PlaneError) -> Self {
        match error {
            PlaneError::Refused { .. } => Self::failed_precondition(causes(&error).join(": ")),
            // The other end says again what was asked in vain; the causes are new to it.
            PlaneError::Unavailable(source) => Self::unavailable(causes(&*source).join(": ")),
        }
    }
}

/// Why the other process' cluster did not do what it was asked.
pub(crate) fn plane_error(status: &Refusal) -> PlaneError {
    match status.code() {
        Code::FailedPrecondition if !is_of_the_way(status) => PlaneError::Refused { reason: status.message().to_owned() },
        _ => PlaneError::Unavailable(rebuilt(texts(status))),
    }
}

/// The same for an answer that did not come within its deadline.
pub(crate) fn plane_overdue(deadline: Duration) -> PlaneError {
    PlaneError::Unavailable(format!("no answer within {} ms", deadline.as_millis()).into())
}

fn unreachable(texts: Vec<String>) -> Error {
    let source = Box::new(Unreachable(rebuilt(texts)));
    Error::Unavailable { what: "storage node", retry_after: RETRY_AFTER, source }
}

fn unavailable(retry_after: Duration, texts: Vec<String>) -> Error {
    Error::Unavailable { what: "storage node", retry_after, source: rebuilt(texts) }
}

#[cfg(test)]
mod tests;
