//! Tokens of the registry token protocol: a token service vouches for what their bearer may do (distribution, "Token Authentication").

use std::sync::Arc;

use zot_config::{Secret, http::auth::Bearer};
use zot_runtime::{file_watch::RELOAD_POLL, tasks::Tasks};

use super::{
    aws_secret::{AwsSecret, AwsSecretError},
    claims::{Claims, now},
    granted,
    jwt::InvalidToken,
    key::KeySet,
    key_file::{KeyFile, KeyFileError},
    vouched::Vouched,
};
use crate::{
    Method, Rights,
    authn::{Proof, TokenSource, Verdict},
};

/// Knows the tokens of one token service.
#[derive(Debug)]
pub struct RegistryTokens {
    keys: Keys,
    vouched: Vouched,
    /// Who tokens may be for: this registry, by its names here and at the token service that it asks for its clients.
    services: Vec<String>,
    issuer: Option<String>,
}

/// Where the keys are that tokens are checked with.
#[derive(Debug)]
enum Keys {
    File(KeyFile),
    Secret(AwsSecret),
}

/// The keys that tokens are checked with cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Those of a file.
    #[error("open http.auth.bearer.cert")]
    File(#[from] KeyFileError),
    /// Those of a secret of AWS.
    #[error("open http.auth.bearer.awsSecretsManager")]
    Secret(#[from] AwsSecretError),
}

impl Keys {
    async fn open(bearer: &Bearer, tasks: &Tasks) -> Result<Option<Self>, KeysError> {
        Ok(match (&bearer.cert, &bearer.aws_secrets_manager) {
            (Some(file), _) => Some(Self::File(KeyFile::open(file, RELOAD_POLL, tasks)?)),
            (None, Some(settings)) => Some(Self::Secret(AwsSecret::open(settings, tasks).await?)),
            (None, None) => None,
        })
    }

    fn current(&self) -> Arc<KeySet> {
        match self {
            Self::File(file) => file.keys(),
            Self::Secret(secret) => secret.keys(),
        }
    }
}

impl RegistryTokens {
    /// Those of the configuration, if it has any.
    ///
    /// # Errors
    /// The file or the secret with the keys cannot be used.
    pub async fn open(bearer: &Bearer, tasks: &Tasks) -> Result<Option<Self>, KeysError> {
        let (Some(service), Some(_)) = (&bearer.service, &bearer.realm) else { return Ok(None) };
        let Some(keys) = Keys::open(bearer, tasks).await? else { return Ok(None) };
        let upstream = bearer.upstream_token_endpoint.as_ref().map(|endpoint| endpoint.service.clone());
        let services = [service.clone()].into_iter().chain(upstream).collect();
        Ok(Some(Self { keys, vouched: Vouched::default(), services, issuer: bearer.issuer.clone() }))
    }

    fn verify(&self, token: &str) -> Result<Arc<Claims>, InvalidToken> {
        let claims = self.vouched.claims(token, &self.keys.current())?;
        claims.check_times(now())?;
        claims.check_audience(self.services.iter().map(String::as_str))?;
        if let Some(issuer) = &self.issuer {
            claims.check_issuer(issuer)?;
        }
        Ok(claims)
    }
}

#[async_trait::async_trait]
impl TokenSource for RegistryTokens {
    async fn check(&self, token: &Secret) -> Verdict {
        match self.verify(token.reveal()) {
            Ok(claims) => Verdict::Proved(proof(&claims)),
            Err(reason) => {
                tracing::debug!(%reason, "a registry token was refused");
                Verdict::Wrong
            }
        }
    }
}

fn proof(claims: &Claims) -> Proof {
    let user = claims.text("sub").filter(|name| !name.is_empty()).map(Arc::from);
    let rights = Rights::Granted(granted::scopes(claims.get("access"), now()).into());
    Proof { user, groups: Vec::new(), method: Method::RegistryToken, rights, claims: None }
}
