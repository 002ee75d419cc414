//! `http.auth.openid`: logging in at another party in the browser.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::secret::Secret;
use crate::setting::section::{fold, section};
use crate::source::{ConfigError, read_section};

section! {
    /// Logging in at another party in the browser.
    pub struct OpenId {
        /// The parties: `google`, `gitlab`, `oidc` (any party that speaks OpenID Connect) and `github`.
        "providers" => providers: BTreeMap<String, OpenIdProvider> = BTreeMap::new();
        /// Origins beside the registry's own that a login may return to.
        "callbackAllowOrigins" => callback_allow_origins: Vec<String> = Vec::new();
    }
}

section! {
    /// A party at which users log in.
    pub struct OpenIdProvider {
        /// Name shown to users.
        "name" => name: Option<String> = None;
        /// File with `clientid` and `clientsecret`.
        "credentialsFile" => credentials_file: Option<PathBuf> = None;
        /// The registry's name at the party, in the file itself.
        "clientid" => client_id: Option<String> = None;
        /// The registry's secret at the party, in the file itself.
        "clientsecret" => client_secret: Option<Secret> = None;
        /// File with a private key the registry proves itself with instead of a secret.
        "keypath" => key_path: Option<PathBuf> = None;
        /// URL of the party.
        "issuer" => issuer: Option<String> = None;
        /// URL that users are sent to, of a GitHub of one's own.
        "authurl" => auth_url: Option<String> = None;
        /// URL that tokens are fetched from, of a GitHub of one's own.
        "tokenurl" => token_url: Option<String> = None;
        /// What the registry may learn of a user.
        "scopes" => scopes: Vec<String> = Vec::new();
        /// Which claims become name and groups.
        "claimMapping" => claim_mapping: Option<OpenIdClaims> = None;
    }
}

section! {
    /// Which claims become a user's name and groups.
    pub struct OpenIdClaims {
        /// Claim with the name.
        "username" => username: Option<String> = None;
        /// Claim with the groups.
        "groups" => groups: Option<String> = None;
    }
}

section! {
    /// How the registry proves itself to a party: the keys of a `credentialsFile`.
    pub struct OpenIdClient {
        /// The registry's name there.
        "clientid" => id: String = String::new();
        /// The registry's secret there.
        "clientsecret" => secret: Option<Secret> = None;
    }
}

impl OpenIdClient {
    fn check(&self, report: &Report) {
        if self.id.is_empty() {
            report.problem(&KeyPath::of("clientid"), "must be given");
        }
    }
}

impl OpenId {
    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        if self.providers.is_empty() {
            report.problem(&path.key("providers"), "must name at least one provider");
        }
        for (index, origin) in self.callback_allow_origins.iter().enumerate() {
            check_url(origin, &path.key("callbackAllowOrigins").index(index), report);
        }
        for (name, provider) in &self.providers {
            let path = path.key("providers").entry(name);
            match fold(name).as_str() {
                "google" | "gitlab" | "oidc" => provider.check_openid(&path, report),
                "github" => provider.check_github(&path, report),
                _ => report.problem(&path, "unsupported openid/oauth2 provider, supported are: google, gitlab, oidc, github"),
            }
        }
    }
}

impl OpenIdProvider {
    fn check_openid(&self, path: &KeyPath, report: &Report) {
        if !self.has_client() || self.issuer.is_none() || self.scopes.is_empty() {
            report.problem(path, "OpenID provider config requires clientid, issuer and scopes parameters");
        }
        if let Some(issuer) = &self.issuer {
            check_url(issuer, &path.key("issuer"), report);
        }
        self.check_credentials(path, report);
    }

    fn check_github(&self, path: &KeyPath, report: &Report) {
        if !self.has_client() || self.scopes.is_empty() {
            report.problem(path, "OAuth2 provider config requires clientid and scopes parameters");
        }
        if self.auth_url.is_some() != self.token_url.is_some() {
            report.problem(path, "`authurl` and `tokenurl` belong together: both are of a GitHub of one's own");
        }
        for (key, url) in [("authurl", &self.auth_url), ("tokenurl", &self.token_url)] {
            if let Some(url) = url {
                check_url(url, &path.key(key), report);
            }
        }
        self.check_credentials(path, report);
    }

    /// How the registry proves itself to this party.
    ///
    /// # Errors
    /// The `credentialsFile` cannot be read, or holds something else.
    pub fn client(&self) -> Result<OpenIdClient, ConfigError> {
        match &self.credentials_file {
            Some(file) => read_section(file, OpenIdClient::check),
            None => Ok(OpenIdClient { id: self.client_id.clone().unwrap_or_default(), secret: self.client_secret.clone() }),
        }
    }

    fn has_client(&self) -> bool {
        self.client_id.is_some() || self.credentials_file.is_some()
    }

    fn check_credentials(&self, path: &KeyPath, report: &Report) {
        let inline = self.client_id.is_some() || self.client_secret.is_some();
        match (&self.credentials_file, inline) {
            (Some(_), true) => {
                let message = "exclusive with `clientid` and `clientsecret`: keep one of the two";
                report.problem(&path.key("credentialsFile"), message);
            }
            (None, true) => report.warning(path, "`clientid` and `clientsecret` here are deprecated, use `credentialsFile`"),
            _ => {}
        }
    }
}

/// Users and the registry itself are sent there.
fn check_url(text: &str, path: &KeyPath, report: &Report) {
    if !text.starts_with("https://") && !text.starts_with("http://") {
        report.problem(path, format!("expected a URL that begins with https:// or http://, found {text:?}"));
    }
}
