//! Tokens of the registry token protocol: a token service vouches for what their bearer may do (distribution, "Token Authentication").

use std::sync::Arc;

use zot_config::{Secret, http::auth::Bearer};

use super::{
    claims::{Claims, now},
    granted,
    jwt::{InvalidToken, Jwt},
    key_file::{KeyFile, KeyFileError},
};
use crate::{
    Method, Rights,
    authn::{Proof, TokenSource, Verdict},
};

/// Knows the tokens of one token service.
#[derive(Debug)]
pub struct RegistryTokens {
    keys: KeyFile,
    /// Who tokens may be for: this registry, by its names here and at the token service that it asks for its clients.
    services: Vec<String>,
    issuer: Option<String>,
}

impl RegistryTokens {
    /// Those of the configuration, if it has any.
    ///
    /// # Errors
    /// The file with the keys cannot be used.
    pub fn open(bearer: &Bearer) -> Result<Option<Self>, KeyFileError> {
        let (Some(cert), Some(service), Some(_)) = (&bearer.cert, &bearer.service, &bearer.realm) else { return Ok(None) };
        let upstream = bearer.upstream_token_endpoint.as_ref().map(|endpoint| endpoint.service.clone());
        let services = [service.clone()].into_iter().chain(upstream).collect();
        Ok(Some(Self { keys: KeyFile::open(cert)?, services, issuer: bearer.issuer.clone() }))
    }

    async fn verify(&self, token: &str) -> Result<Claims, InvalidToken> {
        let token = Jwt::parse(token)?;
        let claims = token.verify(&*self.keys.keys().await)?;
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
        match self.verify(token.reveal()).await {
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
