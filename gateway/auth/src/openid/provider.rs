//! A party at which users log in, whatever it speaks.

use std::fmt::Debug;

use openidconnect::{AuthorizationCode, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use url::Url;

use super::error::Failure;

/// A party at which users log in.
#[async_trait::async_trait]
pub(super) trait Provider: Debug + Send + Sync {
    /// Where a browser is sent to log in.
    async fn authorize(&self, asking: Asking) -> Result<Url, Failure>;

    /// Who logged in, by what the browser brought back.
    async fn user(&self, answer: Answer) -> Result<User, Failure>;

    /// Where a browser is sent to log out there as well, if the party has such a place; it then comes back to `back`.
    async fn log_out(&self, back: &Url) -> Option<Url>;

    /// What the party calls itself, where that is known: an answer that names somebody else is refused (RFC 9207).
    fn issuer(&self) -> Option<&str>;
}

/// What a login is begun with.
pub(super) struct Asking {
    pub(super) redirect: RedirectUrl,
    pub(super) state: String,
    pub(super) nonce: Nonce,
    pub(super) challenge: PkceCodeChallenge,
}

/// What a login ends with.
pub(super) struct Answer {
    pub(super) redirect: RedirectUrl,
    pub(super) code: AuthorizationCode,
    pub(super) nonce: Nonce,
    pub(super) verifier: PkceCodeVerifier,
}

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) groups: Vec<String>,
}
