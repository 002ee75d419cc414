//! From a configuration to the parties at which users log in. Nobody is asked yet: a party that is away must not keep the registry from starting.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use openidconnect::ClientId;
use url::Url;
use zot_config::{
    ConfigError,
    http::{
        Http,
        auth::{OpenId, OpenIdProvider},
    },
};

use super::{
    Logins, PrivateKeyError,
    assertion::PrivateKey,
    claims::Mapping,
    destination::Destinations,
    discovery::Discovery,
    github::{GitHub, Places},
    oidc::{self, OpenIdConnect},
    pending::PendingLogins,
    provider::Provider,
};
use crate::{
    egress::{Egress, EgressError},
    sessions::{SessionStore, Sessions},
};

/// Logins cannot be had as the configuration says.
#[derive(Debug, thiserror::Error)]
pub enum LoginsError {
    /// The URL of the registry itself.
    #[error("read http.externalUrl, or the address in its place: {url:?}")]
    Own {
        /// What was found.
        url: String,
        /// What is wrong with it.
        #[source]
        source: url::ParseError,
    },
    /// A file with credentials.
    #[error("read the credentials of provider {name}")]
    Credentials {
        /// The party.
        name: String,
        /// What is wrong with it.
        #[source]
        source: ConfigError,
    },
    /// A file with a key.
    #[error("read the key of provider {name}")]
    Key {
        /// The party.
        name: String,
        /// What is wrong with it.
        #[source]
        source: PrivateKeyError,
    },
    /// A URL of a party.
    #[error("read the URLs of provider {name}")]
    Place {
        /// The party.
        name: String,
        /// What is wrong with it.
        #[source]
        source: url::ParseError,
    },
    /// Nobody can be asked anything.
    #[error("make a client to ask providers with")]
    Egress(#[source] EgressError),
}

impl Logins {
    /// The parties of a configuration. Logins that are under way are kept in `store`.
    ///
    /// # Errors
    /// Something that the configuration names cannot be used.
    pub(crate) fn open(http: &Http, openid: &OpenId, store: Arc<dyn SessionStore>, sessions: Arc<Sessions>) -> Result<Self, LoginsError> {
        let own = own_url(http);
        let url = Url::parse(&own).map_err(|source| LoginsError::Own { url: own.clone(), source })?;
        let egress = Egress::new().map_err(LoginsError::Egress)?;
        let mut providers = BTreeMap::new();
        for (name, configured) in &openid.providers {
            let name = name.to_lowercase();
            providers.insert(name.clone(), provider(&name, configured, &egress)?);
        }
        let destinations = Destinations::new(url, openid.callback_allow_origins.iter().map(String::as_str));
        Ok(Self { providers, pending: PendingLogins::new(store, sessions.are_secure()), sessions, destinations, own, accounts: None })
    }
}

fn provider(name: &str, configured: &OpenIdProvider, egress: &Egress) -> Result<Box<dyn Provider>, LoginsError> {
    let place = |source| LoginsError::Place { name: name.to_owned(), source };
    let client = configured.client().map_err(|source| LoginsError::Credentials { name: name.to_owned(), source })?;
    let (id, secret) = (ClientId::new(client.id), client.secret.filter(|secret| !secret.is_empty()));
    if name == "github" {
        let places = Places::configured(configured.auth_url.as_deref().zip(configured.token_url.as_deref())).map_err(place)?;
        return Ok(Box::new(GitHub::new(egress.clone(), id, secret, &configured.scopes, places)));
    }
    let key = |path: &PathBuf| PrivateKey::load(path).map_err(|source| LoginsError::Key { name: name.to_owned(), source });
    let issuer = oidc::issuer(configured.issuer.as_deref().unwrap_or_default()).map_err(place)?;
    Ok(Box::new(OpenIdConnect {
        discovery: Discovery::new(issuer, egress.clone()),
        egress: egress.clone(),
        client: id,
        secret,
        key: configured.key_path.as_ref().map(key).transpose()?,
        scopes: oidc::scopes(&configured.scopes),
        mapping: Mapping::new(configured.claim_mapping.as_ref()),
    }))
}

/// Where browsers reach the registry: what the configuration says, or where it listens.
fn own_url(http: &Http) -> String {
    if !http.external_url.is_empty() {
        return http.external_url.clone();
    }
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", http.listen_address())
}
