//! The one table between the contract's errors and the statuses of gRPC. No other file names a code.
//!
//! The typed error travels in the details of the status. The code is for generic tools, and for readers that find no details they understand.

use std::{error::Error as StdError, time::Duration};

use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Response, Status};
use zot_contract::{BoxError, Error};

use crate::{
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

/// The status that tells the other end of `error`.
pub(crate) fn refusal(error: &Error) -> Refusal {
    let (code, message) = (code(error), error.to_string());
    let any = Any { type_url: ERROR_TYPE.to_owned(), value: v1::Error::from(error).encode_to_vec() };
    let details = v1::Details { code: code.into(), message: message.clone(), details: vec![any] };
    Status::with_details(code, message, details.encode_to_vec().into())
}

fn code(error: &Error) -> Code {
    match error {
        Error::NameUnknown { .. } | Error::BlobUnknown { .. } | Error::ManifestUnknown { .. } | Error::UploadUnknown { .. } => {
            Code::NotFound
        }
        Error::BlobReferenced { .. } | Error::ManifestReferenced { .. } | Error::ManifestBlobUnknown { .. } => Code::FailedPrecondition,
        Error::ManifestInvalid { .. } | Error::DigestMismatch { .. } => Code::InvalidArgument,
        Error::UploadOffset { .. } => Code::OutOfRange,
        Error::UploadBusy { .. } | Error::BodyBroken(_) => Code::Aborted,
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
    unavailable(RETRY_AFTER, vec![format!("no answer within {} ms", deadline.as_millis())])
}

/// The error of a stream that stopped before its end, whatever its status says.
pub(crate) fn broke_off() -> Error {
    unavailable(RETRY_AFTER, vec!["the stream ended before its end".to_owned()])
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
        // Only a status made at this end has a source: what went wrong with the connection.
        _ if retry_after.is_some() || status.source().is_some() => unavailable(retry_after.unwrap_or(RETRY_AFTER), texts),
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted => {
            unavailable(RETRY_AFTER, texts)
        }
        _ => Error::Internal(rebuilt(texts)),
    }
}

fn texts(status: &Refusal) -> Vec<String> {
    [status.message().to_owned()].into_iter().chain(status.source().into_iter().flat_map(causes)).collect()
}

fn unavailable(retry_after: Duration, texts: Vec<String>) -> Error {
    Error::Unavailable { what: "storage node", retry_after, source: rebuilt(texts) }
}

#[cfg(test)]
mod tests;
