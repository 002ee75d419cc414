//! `http.auth`: the ways in which a client can prove who it is.

pub(crate) mod bearer;
pub(crate) mod ldap;
pub(crate) mod mtls;
pub(crate) mod openid;
pub(crate) mod session;

use std::path::PathBuf;
use std::time::Duration;

pub use bearer::{AwsSecretsManager, Bearer, BearerOidc, ClaimMapping, ClaimValidation, ClaimVariable, UpstreamTokenEndpoint};
pub use ldap::{BindCredentials, Ldap};
pub use mtls::{IdentityAttribute, MutualTls};
pub use openid::{OpenId, OpenIdClaims, OpenIdClient, OpenIdProvider};
pub use session::{SessionDriver, SessionKeys, SessionPlace};

use super::Tls;
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::section;
use crate::source::{ConfigError, read_section};

/// The longest that a password may count which was changed at a directory.
const CREDENTIAL_CACHE_MAX: Duration = Duration::from_secs(60 * 60);
/// Longest delay of a refusal, in seconds: clients and load balancers wait no longer for an answer.
const FAIL_DELAY_SECONDS_MAX: i64 = 60;

section! {
    /// The ways in which a client can prove who it is.
    pub struct Auth {
        /// Seconds that a refusal of wrong credentials is held back; none if negative.
        "failDelay" => fail_delay_seconds: i64 = 0;
        /// How long a password that was found right is not checked again; each time if zero.
        "credentialCache" => credential_cache: Duration = Duration::from_secs(60);
        /// A file of names and hashed passwords.
        "htpasswd" => htpasswd: Option<Htpasswd> = None;
        /// Whether users can make keys for their tools; OpenID turns it on.
        "apikey" => api_key: bool = false;
        /// Whether browsers send the session over TLS only; that is so whenever the registry itself speaks TLS.
        "secureSession" => secure_session: Option<bool> = None;
        /// File with the keys that sessions are signed and encrypted with.
        "sessionKeysFile" => session_keys_file: Option<PathBuf> = None;
        /// Where sessions are kept.
        "sessionDriver" => session_driver: Option<SessionDriver> = None;
        /// A directory of users.
        "ldap" => ldap: Option<Ldap> = None;
        /// Tokens of another party.
        "bearer" => bearer: Option<Bearer> = None;
        /// Logging in at another party in the browser.
        "openid" => openid: Option<OpenId> = None;
        /// Certificates of clients.
        "mtls" => mtls: Option<MutualTls> = None;
    }
}

section! {
    /// A file of names and hashed passwords.
    pub struct Htpasswd {
        /// The file.
        "path" => path: PathBuf = PathBuf::new();
    }
}

impl Auth {
    /// Whether users can make keys for their tools.
    #[must_use]
    pub fn makes_api_keys(&self) -> bool {
        self.api_key || self.openid.is_some()
    }

    /// How long a refusal of wrong credentials is held back.
    #[must_use]
    pub fn fail_delay(&self) -> Duration {
        Duration::from_secs(self.fail_delay_seconds.clamp(0, FAIL_DELAY_SECONDS_MAX).unsigned_abs())
    }

    /// Whether any way of proving who one is has been chosen; an authority for clients makes their certificates one.
    #[must_use]
    pub fn is_on(&self, tls: Option<&Tls>) -> bool {
        let passwords = self.htpasswd.is_some() || self.ldap.is_some() || self.makes_api_keys();
        passwords || tls.is_some_and(|tls| tls.cacert.is_some()) || self.bearer.is_some()
    }

    /// Whether some way of proving who one is tells groups too.
    pub(crate) fn tells_groups(&self) -> bool {
        let directory = self.ldap.as_ref().is_some_and(|ldap| ldap.user_group_attribute.is_some());
        directory || self.openid.is_some() || self.bearer.as_ref().is_some_and(|bearer| !bearer.oidc.is_empty())
    }

    pub(crate) fn check(&self, tls: Option<&Tls>, path: &KeyPath, report: &Report) {
        if self.htpasswd.as_ref().is_some_and(|htpasswd| htpasswd.path.as_os_str().is_empty()) {
            report.problem(&path.key("htpasswd").key("path"), "must name a file");
        }
        if self.fail_delay_seconds > FAIL_DELAY_SECONDS_MAX {
            report.warning(&path.key("failDelay"), format!("{FAIL_DELAY_SECONDS_MAX} seconds are the longest that is waited"));
        }
        if self.credential_cache > CREDENTIAL_CACHE_MAX {
            report.problem(&path.key("credentialCache"), "must be at most 1h: a password that was taken back counts for so long");
        }
        if self.api_key && !self.has_sessions() && tls.is_none_or(|tls| tls.cacert.is_none()) {
            let message = "nobody can make the first key: that takes a password, a session or a certificate; \
                           configure `htpasswd`, `ldap`, `openid` or `http.tls.cacert` as well";
            report.warning(&path.key("apikey"), message);
        }
        self.check_sessions(path, report);
        if let Some(ldap) = &self.ldap {
            ldap.check(&path.key("ldap"), report);
        }
        if let Some(bearer) = &self.bearer {
            bearer.check(&path.key("bearer"), report);
        }
        if let Some(openid) = &self.openid {
            openid.check(&path.key("openid"), report);
        }
        if let Some(mtls) = &self.mtls {
            mtls.check(tls, &path.key("mtls"), report);
        }
    }

    /// The keys of the `sessionKeysFile`, if there is one.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn session_keys(&self) -> Result<Option<SessionKeys>, ConfigError> {
        self.session_keys_file.as_deref().map(|file| read_section(file, SessionKeys::check)).transpose()
    }

    fn check_sessions(&self, path: &KeyPath, report: &Report) {
        let Some(SessionDriver::Redis(redis)) = &self.session_driver else {
            return;
        };
        redis.check(&path.key("sessionDriver"), report);
        if self.session_keys_file.is_some() {
            let message = "invalid server config: session keys not supported when redis session driver is used!";
            report.problem(&path.key("sessionKeysFile"), message);
        }
    }
}
