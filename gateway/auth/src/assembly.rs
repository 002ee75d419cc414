//! All of access on one page: which ways of proving who one is there are, in the order in which they are asked, and what is needed for them.

use std::sync::Arc;

use zot_config::{Config, Problem};
use zot_contract::Registry;
use zot_runtime::tasks::Tasks;

use crate::{
    Access,
    authn::{
        Authenticators, TokenSource,
        bearer::{self, IdentityTokens, InvalidUpstream, KeyFileError, ProviderError, RegistryTokens, TokenEndpoint},
    },
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
    /// The keys that tokens are checked with cannot be used.
    #[error("open http.auth.bearer.cert")]
    Keys(#[source] KeyFileError),
    /// A provider of identity tokens cannot be used.
    #[error("open http.auth.bearer.oidc")]
    Provider(#[source] ProviderError),
    /// The token service that is asked for clients cannot be asked.
    #[error("open http.auth.bearer.upstreamTokenEndpoint")]
    Upstream(#[source] InvalidUpstream),
}

/// What is wrong with a configuration that only those see who know what to do with it.
pub fn check(config: &Config) -> Vec<Problem> {
    bearer::check(config)
}

impl Access {
    /// Access as `config` says.
    ///
    /// # Errors
    /// A file that the configuration names cannot be used.
    pub async fn open(config: &Config, _surroundings: &Surroundings) -> Result<Self, OpenError> {
        let bearer = BearerTokens::open(config)?;
        let authenticators = Authenticators { tokens: bearer.sources, ..Authenticators::default() };
        Ok(Self::new(authenticators).with_token_endpoint(bearer.endpoint))
    }
}

/// What knows of tokens.
#[derive(Default)]
struct BearerTokens {
    sources: Vec<Box<dyn TokenSource>>,
    endpoint: Option<TokenEndpoint>,
}

impl BearerTokens {
    fn open(config: &Config) -> Result<Self, OpenError> {
        let Some(bearer) = &config.http.auth.bearer else { return Ok(Self::default()) };
        let mut sources: Vec<Box<dyn TokenSource>> = Vec::new();
        let identities = IdentityTokens::open(bearer).map_err(OpenError::Provider)?;
        let endpoint = TokenEndpoint::open(&config.http.auth, &identities).map_err(OpenError::Upstream)?;
        if !identities.is_empty() {
            sources.push(Box::new(identities));
        }
        if let Some(tokens) = RegistryTokens::open(bearer).map_err(OpenError::Keys)? {
            sources.push(Box::new(tokens));
        }
        Ok(Self { sources, endpoint })
    }
}
