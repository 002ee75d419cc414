//! Who knows of tokens, as the configuration says.

use zot_config::http::{Auth, auth::Bearer};
use zot_runtime::tasks::Tasks;

use super::{
    endpoint::{InvalidUpstream, TokenEndpoint},
    oidc::{IdentityTokens, ProviderError},
    registry_tokens::{KeysError, RegistryTokens},
};
use crate::authn::TokenSource;

/// Who knows of tokens, and who hands them out.
#[derive(Debug, Default)]
pub(crate) struct BearerTokens {
    /// Who knows tokens, in the order in which they are asked.
    pub(crate) sources: Vec<Box<dyn TokenSource>>,
    /// Who hands them out.
    pub(crate) endpoint: Option<TokenEndpoint>,
}

/// What tokens are checked with cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BearerError {
    /// The keys of the token service cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A provider of identity tokens cannot be used.
    #[error("open http.auth.bearer.oidc")]
    Provider(#[source] ProviderError),
    /// The token service that is asked for clients cannot be asked.
    #[error("open http.auth.bearer.upstreamTokenEndpoint")]
    Upstream(#[source] InvalidUpstream),
}

impl BearerTokens {
    /// Those of the configuration. Identity tokens are looked at first: they say themselves whose they are.
    ///
    /// # Errors
    /// A file or a secret that it names cannot be used.
    pub(crate) async fn open(auth: &Auth, tasks: &Tasks) -> Result<Self, BearerError> {
        let Some(bearer) = &auth.bearer else { return Ok(Self::default()) };
        let identities = IdentityTokens::open(bearer).map_err(BearerError::Provider)?;
        let endpoint = TokenEndpoint::open(auth, &identities).map_err(BearerError::Upstream)?;
        Ok(Self { sources: sources(bearer, identities, tasks).await?, endpoint })
    }
}

async fn sources(bearer: &Bearer, identities: IdentityTokens, tasks: &Tasks) -> Result<Vec<Box<dyn TokenSource>>, BearerError> {
    let mut sources: Vec<Box<dyn TokenSource>> = Vec::new();
    if !identities.is_empty() {
        sources.push(Box::new(identities));
    }
    if let Some(tokens) = RegistryTokens::open(bearer, tasks).await? {
        sources.push(Box::new(tokens));
    }
    Ok(sources)
}
