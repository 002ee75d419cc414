//! What a party says of itself (OpenID Connect Discovery 1.0): fetched when it is first needed, and again from time to time. A party that is
//! away when the registry starts is asked again by whoever wants to log in there.

use std::{sync::Arc, time::Duration};

use openidconnect::{HttpRequest, IssuerUrl, ProviderMetadataWithLogout as Metadata};
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use super::{ask::ask, error::Failure};
use crate::egress::Egress;

/// The age at which what was said is asked for again: keys change.
const FRESH_FOR: Duration = Duration::from_secs(60 * 60);
/// For how long a party is left alone after it could not be asked, or was asked for newer keys.
const REST: Duration = Duration::from_secs(5);

/// What a party says of itself.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: IssuerUrl,
    egress: Egress,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<(Arc<Metadata>, Instant)>,
    /// When it could not be asked, and why.
    failed: Option<(Instant, String)>,
}

impl Discovery {
    pub(super) fn new(issuer: IssuerUrl, egress: Egress) -> Self {
        Self { issuer, egress, state: Mutex::default() }
    }

    pub(super) fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// What the party says, at most an hour old unless it does not answer.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, Failure> {
        self.fetched(FRESH_FOR).await
    }

    /// What the party says now: what it said before has no key for what it signed.
    pub(super) async fn renewed(&self) -> Result<Arc<Metadata>, Failure> {
        self.fetched(REST).await
    }

    /// While one asks, the others wait for the answer.
    async fn fetched(&self, age_max: Duration) -> Result<Arc<Metadata>, Failure> {
        let mut state = self.state.lock().await;
        if let Some((known, since)) = &state.known
            && since.elapsed() < age_max
        {
            return Ok(Arc::clone(known));
        }
        let resting = state.failed.as_ref().filter(|(since, _)| since.elapsed() < REST).map(|(_, reason)| reason.clone());
        let failure = match resting {
            Some(reason) => reason,
            None => match self.ask().await {
                Ok(said) => {
                    let said = Arc::new(said);
                    *state = State { known: Some((Arc::clone(&said), Instant::now())), failed: None };
                    return Ok(said);
                }
                Err(reason) => {
                    state.failed = Some((Instant::now(), reason.clone()));
                    reason
                }
            },
        };
        match &state.known {
            Some((known, _)) => {
                tracing::warn!(
                    issuer = self.issuer.as_str(),
                    error = failure,
                    "the party does not say what it is: it is taken as it was before"
                );
                Ok(Arc::clone(known))
            }
            None => Err(Failure::unavailable(failure)),
        }
    }

    async fn ask(&self) -> Result<Metadata, String> {
        let http = |request: HttpRequest| ask(self.egress.clone(), request);
        let said = Metadata::discover_async(self.issuer.clone(), &http).await;
        let said = said.map_err(|error| zot_runtime::telemetry::chain(&error).to_string())?;
        self.check(&said).map(|()| said)
    }

    /// A party that is reached over TLS has all its places there.
    fn check(&self, said: &Metadata) -> Result<(), String> {
        if self.issuer.url().scheme() != "https" {
            return Ok(());
        }
        let places = [
            Some(said.authorization_endpoint().url()),
            Some(said.jwks_uri().url()),
            said.token_endpoint().map(|place| place.url()),
            said.userinfo_endpoint().map(|place| place.url()),
        ];
        let plain: Option<&Url> = places.into_iter().flatten().find(|place| place.scheme() != "https");
        plain.map_or(Ok(()), |place| Err(format!("{place} is not reached over TLS, while {} is", self.issuer.as_str())))
    }
}
