//! `oauth2CredentialHelper`: how a token service is asked for a registry's password.

use std::path::PathBuf;

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::section;
use crate::url;

/// The grant of RFC 8693.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

section! {
    /// How a token service is asked for a registry's password.
    pub struct OAuth2CredentialHelper {
        /// URL of the service.
        "tokenURL" => token_url: String = String::new();
        /// File with a token that proves who asks, kept fresh by somebody else.
        "assertionFile" => assertion_file: Option<PathBuf> = None;
        /// File with the key and claims that such a token is made from.
        "signingFile" => signing_file: Option<PathBuf> = None;
        /// The grant, `client_credentials` if absent.
        "grantType" => grant_type: Option<String> = None;
        /// The registry's name at the service.
        "clientID" => client_id: Option<String> = None;
        /// File with the registry's secret at the service.
        "clientSecretFile" => client_secret_file: Option<PathBuf> = None;
        /// What the token is for.
        "scopes" => scopes: Vec<String> = Vec::new();
        /// User name that goes with the token, `<token>` if absent.
        "username" => username: Option<String> = None;
        /// Whom the exchanged token is for.
        "audience" => audience: Option<String> = None;
        /// Kind of the token that is exchanged.
        "subjectTokenType" => subject_token_type: Option<String> = None;
        /// Kind of the token that is asked for.
        "requestedTokenType" => requested_token_type: Option<String> = None;
    }
}

impl OAuth2CredentialHelper {
    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        if self.token_url.trim().is_empty() {
            report.problem(&path.key("tokenURL"), "must be set");
        }
        if self.assertion_file.is_some() == self.signing_file.is_some() {
            report.problem(path, "exactly one of `assertionFile` and `signingFile` is needed");
        }
        let exchanges = self.grant_type.as_deref() == Some(TOKEN_EXCHANGE);
        if exchanges && self.audience.is_none() {
            report.problem(&path.key("audience"), "must be set for a token exchange");
        }
        let of_exchange = [
            ("audience", &self.audience),
            ("subjectTokenType", &self.subject_token_type),
            ("requestedTokenType", &self.requested_token_type),
        ];
        for (key, value) in of_exchange {
            let Some(value) = value else { continue };
            if !exchanges {
                report.problem(&path.key(key), format!("is only for the grant type `{TOKEN_EXCHANGE}`"));
            } else if key != "audience" && !url::is_absolute(value) {
                report.problem(&path.key(key), "must be an absolute URI");
            }
        }
    }
}
