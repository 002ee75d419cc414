//! Asking a party: an answer that it failed is none.

use http::StatusCode;
use openidconnect::{HttpRequest, HttpResponse};

use crate::egress::{Egress, EgressError};

/// A party did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// It cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] EgressError),
    /// It says that it failed.
    #[error("it answers {0}")]
    Failed(StatusCode),
}

/// Asks a party.
pub(super) async fn ask(egress: Egress, request: HttpRequest) -> Result<HttpResponse, AskError> {
    let answer = egress.send(request).await?;
    let status = answer.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS { Err(AskError::Failed(status)) } else { Ok(answer) }
}
