//! All of access on one page: which ways of proving who one is there are, in the order in which they are asked, and what is needed for them.

use std::sync::Arc;

use zot_config::{Config, ConfigError, Problem, http::Http};
use zot_contract::{BoxError, Context, Registry};
use zot_runtime::{file_watch::RELOAD_POLL, tasks::Tasks};

use crate::{
    Access, Challenges,
    accounts::{Accounts, GroupsNoted},
    api_keys::{ApiKeys, WithoutKeys},
    authn::{
        Authenticators, CertificateNames, InvalidPattern, PasswordSource, Several, Verified,
        bearer::{self, BearerError, BearerTokens},
        htpasswd::{self, Htpasswd, HtpasswdError},
        ldap::{self, Ldap, LdapError},
    },
    authz::Policy,
    browser::{self, Browser},
    openid::LoginsError,
    sessions::MemoryStore,
};

/// Makes the context of what is asked of a registry on nobody's behalf.
pub type Internal = Arc<dyn Fn() -> Context + Send + Sync>;

/// What access is made with, beside the configuration.
#[derive(Clone)]
pub struct Surroundings {
    /// Who keeps what is known of users.
    pub registry: Arc<dyn Registry>,
    /// What runs in the background.
    pub tasks: Tasks,
    /// Makes the context of what is asked of the registry on nobody's behalf.
    pub internal: Internal,
    /// Logins that are under way, where one process keeps them: they go on when access is made anew.
    pub logins: Arc<MemoryStore>,
}

/// Access cannot be made as the configuration says.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Where users stand in certificates cannot be read.
    #[error(transparent)]
    Certificates(#[from] InvalidPattern),
    /// The htpasswd file cannot be used.
    #[error("open http.auth.htpasswd")]
    Htpasswd(#[from] HtpasswdError),
    /// The directory cannot be used as configured.
    #[error("open http.auth.ldap")]
    Ldap(#[from] LdapError),
    /// What tokens are checked with cannot be used.
    #[error(transparent)]
    Bearer(#[from] BearerError),
    /// The rules of who may do what.
    #[error("compile the rules: {}", one_line(.problems))]
    Rules {
        /// Everything that is wrong with them.
        problems: Vec<Problem>,
    },
    /// Where sessions are kept.
    #[error("open the store of sessions")]
    Sessions(#[source] BoxError),
    /// What their cookies are signed with.
    #[error("read http.auth.sessionKeysFile")]
    SessionKeys(#[source] ConfigError),
    /// The parties at which users log in.
    #[error("open http.auth.openid")]
    Logins(#[from] LoginsError),
}

/// What is wrong with a configuration that only those see who know what to do with it.
pub fn check(config: &Config) -> Vec<Problem> {
    let rules = config.http.access_control.as_ref().and_then(|written| Policy::compile(written).err());
    let passwords = htpasswd::check(config).into_iter().chain(ldap::check(config));
    rules.unwrap_or_default().into_iter().chain(passwords).chain(bearer::check(config)).chain(browser::check(config)).collect()
}

fn one_line(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Access {
    /// Access as `config` says.
    ///
    /// # Errors
    /// A file that the configuration names cannot be used.
    pub async fn open(config: &Config, surroundings: &Surroundings) -> Result<Self, OpenError> {
        let http = &config.http;
        let accounts = Arc::new(Accounts::new(Arc::clone(&surroundings.registry)).asking_as(Arc::clone(&surroundings.internal)));
        let passwords = Passwords::open(http, &accounts, &surroundings.tasks)?;
        let bearer = BearerTokens::open(&http.auth, &surroundings.tasks).await?;
        let browser = Browser::open(config, surroundings, &accounts)?;
        let authenticators = Authenticators {
            passwords: passwords.sources,
            tokens: bearer.sources,
            certificates: certificates(http)?,
            sessions: browser.sessions,
        };
        let challenges = Challenges::configured(http, !authenticators.passwords.is_empty());
        let policy = match &http.access_control {
            Some(written) => Policy::compile(written).map_err(|problems| OpenError::Rules { problems })?,
            None => Policy::without_rules(http.auth.is_on(http.tls.as_ref())),
        };
        let logins = browser.logins.map(|logins| logins.noting(accounts));
        let access = Self::new(authenticators).governed(policy).challenging(challenges).delaying(http.auth.fail_delay());
        Ok(access.with_token_endpoint(bearer.endpoint).with_api_keys(passwords.api_keys).with_logins(logins))
    }
}

/// Who knows passwords, and the keys among them.
struct Passwords {
    sources: Vec<Box<dyn PasswordSource>>,
    api_keys: Option<ApiKeys>,
}

impl Passwords {
    /// What looks like a key is looked for among the keys and nowhere else; about other passwords the directory is asked, then the file.
    ///
    /// What the last two find good is remembered for a while, before either is asked again: who is in the file does not wait for a directory that
    /// does not answer.
    fn open(http: &Http, accounts: &Arc<Accounts>, tasks: &Tasks) -> Result<Self, OpenError> {
        let auth = &http.auth;
        let mut api_keys = auth.makes_api_keys().then(|| ApiKeys::new(Arc::clone(accounts), tasks));
        let mut asked: Vec<Box<dyn PasswordSource>> = Vec::new();
        if let Some(ldap) = &auth.ldap {
            let ldap = Box::new(Ldap::open(ldap, RELOAD_POLL, tasks)?);
            asked.push(if api_keys.is_some() { Box::new(GroupsNoted::new(ldap, Arc::clone(accounts))) } else { ldap });
        }
        if let Some(htpasswd) = &auth.htpasswd {
            let htpasswd = Htpasswd::open(htpasswd.path.clone(), RELOAD_POLL, tasks)?;
            if knows_all_users(http) {
                api_keys = api_keys.map(|keys| keys.of_known_users(htpasswd.known_users()));
            }
            asked.push(Box::new(htpasswd));
        }
        if !asked.is_empty() && !auth.credential_cache.is_zero() {
            asked = vec![Box::new(Verified::new(Box::new(Several(asked)), auth.credential_cache))];
        }
        if api_keys.is_some() && !asked.is_empty() {
            asked = vec![Box::new(WithoutKeys(Several(asked)))];
        }
        let keys = api_keys.clone().map(|keys| Box::new(keys) as Box<dyn PasswordSource>);
        Ok(Self { sources: keys.into_iter().chain(asked).collect(), api_keys })
    }
}

/// Whether whoever is not in the htpasswd file is no user: nobody else knows any.
fn knows_all_users(http: &Http) -> bool {
    let certificates = http.tls.as_ref().is_some_and(|tls| tls.cacert.is_some());
    http.auth.ldap.is_none() && http.auth.openid.is_none() && !certificates
}

/// An authority for clients makes their certificates a proof, whether or not the configuration says where users stand in them.
fn certificates(http: &Http) -> Result<Option<CertificateNames>, InvalidPattern> {
    let asked_for = http.tls.as_ref().is_some_and(|tls| tls.cacert.is_some());
    let settings = http.auth.mtls.clone().unwrap_or_default();
    asked_for.then(|| CertificateNames::new(&settings)).transpose()
}
