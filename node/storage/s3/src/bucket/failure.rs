//! What the SDK reports, as errors of the port: what may pass is told apart from what is wrong.

use std::{error::Error as StdError, time::Duration};

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use zot_storage::Error;

/// When a client should try again after S3 refused or was not there, all retries included.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How S3 says that there is no such multipart upload, or none any more.
pub(super) const NO_SUCH_UPLOAD: &str = "NoSuchUpload";

/// S3 answered with an error.
#[derive(Debug, thiserror::Error)]
#[error("{act}: status {status}, {code}: {message}")]
struct Refusal {
    act: String,
    status: u16,
    code: String,
    message: String,
}

/// There was no answer, or none that could be read.
#[derive(Debug, thiserror::Error)]
#[error("{act}")]
struct NoAnswer {
    act: String,
    #[source]
    source: Box<dyn StdError + Send + Sync>,
}

/// Wraps the failure of `act`, after all retries.
pub(super) fn failed<E>(act: impl Into<String>, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let (act, passes) = (act.into(), passes(&error));
    let Some(answer) = error.raw_response() else {
        let source = NoAnswer { act: act.clone(), source: error.into() };
        return if passes { Error::unavailable("blob store", RETRY_AFTER, source) } else { Error::remote(act, source) };
    };
    let (status, text) = (answer.status().as_u16(), |text: Option<&str>| text.unwrap_or("no text").to_owned());
    let refusal = Refusal { act: act.clone(), status, code: text(error.code()), message: text(error.message()) };
    if passes { Error::unavailable("blob store", RETRY_AFTER, refusal) } else { Error::remote(act, refusal) }
}

/// Whether a multipart upload failed because there is none: it was completed or dropped.
pub(crate) fn is_gone(error: &Error) -> bool {
    let Error::Remote { source, .. } = error else { return false };
    source.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status == 404 && refusal.code == NO_SUCH_UPLOAD)
}

/// Whether it is the service that fails, or the way to it, and not the request.
fn passes<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout() || failure.as_other().is_some(),
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            // A clock that is wrong passes too, once it is set.
            matches!(status, 429 | 500..) || matches!(error.code(), Some("SlowDown" | "RequestTimeout" | "RequestTimeTooSkewed"))
        }
        _ => false,
    }
}

/// Whether S3 answered with this status and, if it says any, this code.
pub(crate) fn is<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, status: u16, code: &str) -> bool {
    let answered = error.raw_response().is_some_and(|answer| answer.status().as_u16() == status);
    answered && error.code().is_none_or(|found| found == code)
}
