//! One party whose identity tokens are taken.

use std::fs;

use zot_config::http::auth::BearerOidc;

use super::{
    Identified, ProviderError, Unidentified, identified,
    keys::{Keys, Signing},
    mapping::Mapping,
};
use crate::{
    authn::bearer::{
        claims::{Claims, now},
        jwt::{InvalidToken, Jwt},
    },
    egress::Egress,
};

/// An OpenID provider, and what its tokens have to say.
#[derive(Debug)]
pub(super) struct Provider {
    issuer: String,
    audiences: Vec<String>,
    any_issuer: bool,
    mapping: Mapping,
    keys: Keys,
}

impl Provider {
    pub(super) fn open(oidc: &BearerOidc) -> Result<Self, ProviderError> {
        let file = oidc.certificate_authority_file.as_ref();
        let read = |path: &std::path::PathBuf| fs::read(path).map_err(|source| ProviderError::Authorities { path: path.clone(), source });
        let authorities = match &oidc.certificate_authority {
            Some(pem) => Some(pem.clone().into_bytes()),
            None => file.map(read).transpose()?,
        };
        let unreachable = |source| ProviderError::Egress { issuer: oidc.issuer.clone(), source };
        let egress = Egress::trusting(authorities.as_deref()).map_err(unreachable)?;
        Ok(Self {
            issuer: oidc.issuer.clone(),
            audiences: oidc.audiences.clone(),
            any_issuer: oidc.skip_issuer_verification,
            mapping: Mapping::compile(&oidc.claim_mapping).map_err(ProviderError::Expression)?,
            keys: Keys::new(&oidc.issuer, oidc.skip_issuer_verification, egress),
        })
    }

    /// Whether a token says that it is this provider's, and meant for us.
    pub(super) fn may_have_issued(&self, claimed: &Claims) -> bool {
        self.check_parties(claimed).is_ok()
    }

    /// Whose identity a token is.
    pub(super) async fn identify(&self, token: &Jwt<'_>) -> Result<Identified, Unidentified> {
        let unavailable = |source| Unidentified::Unavailable { issuer: self.issuer.clone(), source };
        let known = self.keys.known().await.map_err(unavailable)?;
        let claims = match vouched(token, &known) {
            Err(InvalidToken::Signature) => match self.keys.newer(&known).await {
                Some(newer) => vouched(token, &newer),
                None => Err(InvalidToken::Signature),
            },
            decided => decided,
        }?;
        claims.check_times(now())?;
        self.check_parties(&claims)?;
        identified(claims, &self.mapping)
    }

    fn check_parties(&self, claims: &Claims) -> Result<(), InvalidToken> {
        if !self.any_issuer {
            claims.check_issuer(&self.issuer)?;
        }
        claims.check_audience(self.audiences.iter().map(String::as_str))
    }
}

/// What a token claims, if the provider signs with its algorithm and has signed it.
fn vouched(token: &Jwt<'_>, signing: &Signing) -> Result<Claims, InvalidToken> {
    if !signing.algorithms.iter().any(|algorithm| algorithm == token.algorithm()) {
        return Err(InvalidToken::Signature);
    }
    token.verify(&signing.keys)
}
