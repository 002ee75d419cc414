//! The keys of an OpenID provider (OpenID Connect Discovery 1.0): fetched when the first token comes, and again when they may have changed.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{sync::Mutex, time::Instant};
use url::Url;
use zot_contract::BoxError;
use zot_runtime::telemetry::chain;

use crate::{
    authn::bearer::key::{InvalidKey, KeySet},
    egress::{Egress, EgressError},
};

/// The age at which keys are fetched again, so that a key that was withdrawn does not count for long.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// The age at which keys are of no use any more, if no newer ones can be had.
const USABLE: Duration = Duration::from_secs(60 * 60);
/// How soon keys are fetched again for a token that none of them vouches for: anybody can make such tokens.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(10);
/// How soon a provider is asked again that did not answer.
const FAILED_PAUSE: Duration = Duration::from_secs(2);

/// What an OpenID provider signs tokens with.
#[derive(Debug)]
pub(super) struct Signing {
    /// Its keys.
    pub(super) keys: KeySet,
    /// Its algorithms.
    pub(super) algorithms: Vec<String>,
}

/// Fetches what a provider signs with, and keeps it.
#[derive(Debug)]
pub(super) struct Keys {
    issuer: String,
    any_issuer: bool,
    egress: Egress,
    /// Held while they are fetched, so that one asks for all who wait.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<(Instant, Arc<Signing>)>,
    failed: Option<(Instant, Arc<FetchError>)>,
}

/// The keys of a provider cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error("`{0}` is no URL")]
    Url(String),
    #[error("{host} answered with status {status}")]
    Status { host: String, status: StatusCode },
    #[error("{host} answered with something else than was asked for")]
    Document {
        host: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the discovery document is of another issuer")]
    Issuer,
    #[error("the keys of a provider with TLS are offered without")]
    Plain,
    #[error("read the keys of {host}")]
    Keys {
        host: String,
        #[source]
        source: InvalidKey,
    },
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    /// Absent where only the algorithm is used that everybody has to have.
    #[serde(default = "mandatory")]
    id_token_signing_alg_values_supported: Vec<String>,
}

fn mandatory() -> Vec<String> {
    vec!["RS256".to_owned()]
}

impl Keys {
    /// Those of `issuer`, whatever its own document calls it if `any_issuer`.
    pub(super) fn new(issuer: &str, any_issuer: bool, egress: Egress) -> Self {
        Self { issuer: issuer.to_owned(), any_issuer, egress, state: Mutex::default() }
    }

    /// What the provider signs with, as far as is known; it is asked if that is too old.
    pub(super) async fn known(&self) -> Result<Arc<Signing>, BoxError> {
        let mut state = self.state.lock().await;
        match &state.known {
            Some((at, signing)) if at.elapsed() < FRESH => Ok(Arc::clone(signing)),
            _ => self.refresh(&mut state).await,
        }
    }

    /// What the provider signs with now that it did not in `known`; nothing if it was asked a moment ago.
    pub(super) async fn newer(&self, known: &Arc<Signing>) -> Option<Arc<Signing>> {
        let mut state = self.state.lock().await;
        match &state.known {
            Some((_, signing)) if !Arc::ptr_eq(signing, known) => Some(Arc::clone(signing)),
            Some((at, _)) if at.elapsed() < UNKNOWN_PAUSE => None,
            _ => self.refresh(&mut state).await.ok().filter(|signing| !Arc::ptr_eq(signing, known)),
        }
    }

    async fn refresh(&self, state: &mut State) -> Result<Arc<Signing>, BoxError> {
        let failure = match &state.failed {
            Some((at, error)) if at.elapsed() < FAILED_PAUSE => Arc::clone(error),
            _ => match self.fetch().await {
                Ok(signing) => {
                    let signing = Arc::new(signing);
                    *state = State { known: Some((Instant::now(), Arc::clone(&signing))), failed: None };
                    return Ok(signing);
                }
                Err(error) => {
                    tracing::warn!(issuer = self.issuer, error = %chain(&error), "could not fetch the keys of an OpenID provider");
                    let error = Arc::new(error);
                    state.failed = Some((Instant::now(), Arc::clone(&error)));
                    error
                }
            },
        };
        match &state.known {
            Some((at, signing)) if at.elapsed() < USABLE => Ok(Arc::clone(signing)),
            _ => Err(failure.into()),
        }
    }

    async fn fetch(&self) -> Result<Signing, FetchError> {
        let issuer = self.issuer.trim_end_matches('/');
        let place = parsed(&format!("{issuer}/.well-known/openid-configuration"))?;
        let discovery: Discovery = document(&host(&place), &self.get(&place).await?)?;
        if !self.any_issuer && discovery.issuer != self.issuer {
            return Err(FetchError::Issuer);
        }
        let keys = parsed(&discovery.jwks_uri)?;
        if place.scheme() == "https" && keys.scheme() != "https" {
            return Err(FetchError::Plain);
        }
        let text = self.get(&keys).await?;
        let keys = KeySet::parse(&text).map_err(|source| FetchError::Keys { host: host(&keys), source })?;
        Ok(Signing { keys, algorithms: discovery.id_token_signing_alg_values_supported })
    }

    async fn get(&self, place: &Url) -> Result<Vec<u8>, FetchError> {
        let request = http::Request::get(place.as_str()).body(Vec::new()).map_err(|_| FetchError::Url(place.to_string()))?;
        let response = self.egress.send(request).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(FetchError::Status { host: host(place), status }),
        }
    }
}

/// A URL over HTTP that holds no credentials.
fn parsed(text: &str) -> Result<Url, FetchError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty());
    url.ok_or_else(|| FetchError::Url(text.to_owned()))
}

fn host(url: &Url) -> String {
    url.authority().to_owned()
}

fn document<T: DeserializeOwned>(host: &str, text: &[u8]) -> Result<T, FetchError> {
    serde_json::from_slice(text).map_err(|source| FetchError::Document { host: host.to_owned(), source })
}
