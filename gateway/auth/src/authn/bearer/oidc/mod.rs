//! Identity tokens of workloads: an OpenID provider vouches for who their bearer is, and the policy says what that one may do.

mod keys;
mod mapping;
mod provider;
#[cfg(test)]
mod tests;

use std::{io, path::PathBuf, sync::Arc};

use zot_config::{
    KeyPath, Problem, Secret,
    http::auth::{Bearer, BearerOidc},
};
use zot_contract::BoxError;

use self::{mapping::Mapping, provider::Provider};
use super::{
    claims::{Claims, now},
    jwt::{InvalidToken, Jwt},
};
use crate::{
    authn::{Proof, TokenSource, Verdict},
    egress::EgressError,
};

pub use self::mapping::InvalidExpression;

/// Knows the identity tokens of the configured providers.
#[derive(Debug, Clone)]
pub struct IdentityTokens(Arc<[Provider]>);

/// A token that is somebody's identity.
#[derive(Debug, Clone)]
pub struct Identified {
    /// What it proves.
    pub proof: Proof,
    /// For how many seconds from now.
    pub expires_in_seconds: u64,
    /// When it was issued, in seconds since 1970, if it says so.
    pub issued_at: Option<f64>,
}

/// Why a token is nobody's identity.
#[derive(Debug, thiserror::Error)]
pub enum Unidentified {
    /// No provider here issues such tokens.
    #[error("no provider here issues such tokens")]
    Foreign,
    /// It is not believed.
    #[error("the token is not believed: {0}")]
    Invalid(String),
    /// The provider's keys cannot be had.
    #[error("ask {issuer}")]
    Unavailable {
        /// The provider.
        issuer: String,
        /// Why.
        #[source]
        source: BoxError,
    },
}

/// A provider cannot be used as the configuration says.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// An expression is not one.
    #[error(transparent)]
    Expression(InvalidExpression),
    /// The file with the authorities of its certificate cannot be read.
    #[error("read `{}`", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be asked.
    #[error("prepare to ask {issuer}")]
    Egress {
        /// The provider.
        issuer: String,
        /// Why.
        #[source]
        source: EgressError,
    },
}

impl IdentityTokens {
    /// Those of the configuration. Nobody is asked until a token comes.
    ///
    /// # Errors
    /// An expression or an authority is none.
    pub fn open(bearer: &Bearer) -> Result<Self, ProviderError> {
        bearer.oidc.iter().map(Provider::open).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are any providers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose identity a token is: of the providers that may have issued it, the first that vouches for it says so.
    ///
    /// # Errors
    /// None does, or one cannot be asked.
    pub async fn identify(&self, token: &str) -> Result<Identified, Unidentified> {
        let Ok((token, claimed)) = Jwt::parse(token).and_then(|token| token.unverified().map(|claims| (token, claims))) else {
            return Err(Unidentified::Foreign);
        };
        let mut result = Err(Unidentified::Foreign);
        // Nobody is asked about a token of somebody else.
        for provider in self.0.iter().filter(|provider| provider.may_have_issued(&claimed)) {
            match provider.identify(&token).await {
                Ok(identified) => return Ok(identified),
                Err(error @ Unidentified::Unavailable { .. }) => result = Err(error),
                Err(error) if matches!(result, Err(Unidentified::Unavailable { .. })) => drop(error),
                Err(error) => result = Err(error),
            }
        }
        result
    }
}

#[async_trait::async_trait]
impl TokenSource for IdentityTokens {
    async fn check(&self, token: &Secret) -> Verdict {
        match self.identify(token.reveal()).await {
            Ok(identified) => Verdict::Proved(identified.proof),
            Err(Unidentified::Unavailable { issuer, source }) => Verdict::Unavailable {
                what: "the provider of identity tokens",
                source: Unidentified::Unavailable { issuer, source }.into(),
            },
            Err(reason) => {
                tracing::debug!(%reason, "an identity token was refused");
                Verdict::Wrong
            }
        }
    }
}

impl From<InvalidToken> for Unidentified {
    fn from(reason: InvalidToken) -> Self {
        Self::Invalid(reason.to_string())
    }
}

/// What is wrong with the expressions of a configuration; nobody is asked, and no file is read.
pub(super) fn check(bearer: &Bearer, path: &KeyPath) -> Vec<Problem> {
    let mapping = |(index, oidc): (usize, &BearerOidc)| {
        let path = path.key("oidc").index(index).key("claimMapping");
        Mapping::compile(&oidc.claim_mapping).err().map(|error| Problem { path: error.place(&path), message: error.reason })
    };
    bearer.oidc.iter().enumerate().filter_map(mapping).collect()
}

fn identified(claims: Claims, mapping: &Mapping) -> Result<Identified, Unidentified> {
    let expires_in_seconds = claims.seconds_left(now());
    let issued_at = claims.get("iat").and_then(serde_json::Value::as_f64);
    let claims = Arc::new(claims.into_value());
    let user = mapping.user(&claims).map_err(|error| Unidentified::Invalid(error.to_string()))?;
    let method = crate::Method::IdentityToken;
    let proof = Proof { groups: user.groups, claims: Some(claims), ..Proof::of_user(&user.name, method) };
    Ok(Identified { proof, expires_in_seconds, issued_at })
}
