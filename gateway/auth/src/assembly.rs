//! All of access on one page: which ways of proving who one is there are, in the order in which they are asked, and what is needed for them.

use std::sync::Arc;

use zot_config::{Config, ConfigError, Problem, http::Http};
use zot_contract::{BoxError, Registry};
use zot_runtime::tasks::Tasks;

use crate::{
    Access, Challenges,
    accounts::Accounts,
    api_keys::ApiKeys,
    authn::{
        Authenticators, CertificateNames, InvalidPattern, PasswordSource,
        bearer::{self, BearerError, BearerTokens},
    },
    authz::Policy,
    browser::Browser,
    openid::LoginsError,
};

/// What access is made with, beside the configuration.
#[derive(Clone)]
pub struct Surroundings {
    /// Who keeps what is known of users.
    pub registry: Arc<dyn Registry>,
    /// What runs in the background.
    pub tasks: Tasks,
}

/// Access cannot be made as the configuration says.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Where users stand in certificates cannot be read.
    #[error(transparent)]
    Certificates(#[from] InvalidPattern),
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
    rules.unwrap_or_default().into_iter().chain(bearer::check(config)).collect()
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
        let accounts = Arc::new(Accounts::new(Arc::clone(&surroundings.registry)));
        let api_keys = http.auth.makes_api_keys().then(|| ApiKeys::new(accounts, &surroundings.tasks));
        let bearer = BearerTokens::open(&http.auth)?;
        let browser = Browser::open(config, surroundings)?;
        let authenticators = Authenticators {
            passwords: passwords(api_keys.as_ref()),
            tokens: bearer.sources,
            certificates: certificates(http)?,
            sessions: browser.sessions,
        };
        let challenges = Challenges::configured(http, !authenticators.passwords.is_empty());
        let policy = match &http.access_control {
            Some(written) => Policy::compile(written).map_err(|problems| OpenError::Rules { problems })?,
            None => Policy::without_rules(http.auth.is_on(http.tls.as_ref())),
        };
        let access = Self::new(authenticators).governed(policy).challenging(challenges);
        Ok(access.with_token_endpoint(bearer.endpoint).with_api_keys(api_keys).with_logins(browser.logins))
    }
}

/// Who knows passwords: what looks like a key is looked for among the keys first.
fn passwords(api_keys: Option<&ApiKeys>) -> Vec<Box<dyn PasswordSource>> {
    api_keys.into_iter().map(|keys| Box::new(keys.clone()) as Box<dyn PasswordSource>).collect()
}

/// An authority for clients makes their certificates a proof, whether or not the configuration says where users stand in them.
fn certificates(http: &Http) -> Result<Option<CertificateNames>, InvalidPattern> {
    let asked_for = http.tls.as_ref().is_some_and(|tls| tls.cacert.is_some());
    let settings = http.auth.mtls.clone().unwrap_or_default();
    asked_for.then(|| CertificateNames::new(&settings)).transpose()
}
