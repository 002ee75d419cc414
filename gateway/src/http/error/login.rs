//! What somebody is told whose login came to nothing. They read it in a browser, so it is a status and a sentence.

use std::time::Duration;

use axum::http::StatusCode;
use zot_auth::openid::LoginError;
use zot_contract::RequestId;
use zot_runtime::telemetry::chain;

/// When to try again what needs a party, or a store, that cannot be reached.
pub(crate) const STORE_RETRY_AFTER: Duration = Duration::from_secs(5);

/// What somebody is told whose login came to nothing.
#[derive(Debug)]
pub(crate) struct LoginTrouble {
    /// The status.
    pub(crate) status: StatusCode,
    /// The sentence.
    pub(crate) text: String,
    /// When to try again, where that may help.
    pub(crate) retry_after: Option<Duration>,
}

impl LoginTrouble {
    /// What is told of `error`, which goes to the log as well: there with its reasons.
    pub(crate) fn logged(error: &LoginError, request: &RequestId) -> Self {
        let trouble = Self::from(error);
        if trouble.retry_after.is_some() || matches!(error, LoginError::Untrusted { .. }) {
            tracing::warn!(%request, error = %chain(error), "login failed");
        } else {
            tracing::info!(%request, error = %chain(error), "login refused");
        }
        trouble
    }
}

/// Exhaustive: a new error does not compile until it is decided here.
impl From<&LoginError> for LoginTrouble {
    fn from(error: &LoginError) -> Self {
        let told = |status, text: String| Self { status, text, retry_after: None };
        match error {
            LoginError::ProviderUnknown => told(StatusCode::BAD_REQUEST, "This registry does not know that place to log in at.".to_owned()),
            LoginError::Unknown => told(
                StatusCode::UNAUTHORIZED,
                "This login is not known: it took too long, has ended already, or was begun in another browser. Please begin again."
                    .to_owned(),
            ),
            LoginError::Denied { provider, reason } => told(StatusCode::UNAUTHORIZED, format!("{provider} did not let you in: {reason}.")),
            LoginError::Untrusted { provider, .. } => told(
                StatusCode::UNAUTHORIZED,
                format!("What {provider} answered cannot be believed; the registry's log says why. Please begin again."),
            ),
            LoginError::Nameless { provider, reason } => {
                told(StatusCode::UNAUTHORIZED, format!("{provider} let you in, but does not say what to call you: {reason}."))
            }
            LoginError::ProviderUnavailable { provider, .. } => Self {
                retry_after: Some(STORE_RETRY_AFTER),
                ..told(StatusCode::SERVICE_UNAVAILABLE, format!("{provider} cannot be reached at the moment. Please try again in a while."))
            },
            LoginError::StoreUnavailable(_) => Self {
                retry_after: Some(STORE_RETRY_AFTER),
                ..told(StatusCode::SERVICE_UNAVAILABLE, "Nobody can log in at the moment. Please try again in a while.".to_owned())
            },
        }
    }
}
