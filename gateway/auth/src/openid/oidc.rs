//! Parties that speak OpenID Connect: google, gitlab, and any other.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{StatusCode, header};
use openidconnect::{
    AccessToken, AuthType, AuthenticationFlow, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, IssuerUrl, Nonce, OAuth2TokenResponse as _, ProviderMetadataWithLogout as Metadata,
    RequestTokenError, Scope, SignatureVerificationError, TokenResponse as _,
    core::{CoreClient, CoreClientAuthMethod, CoreIdToken, CoreJwsSigningAlgorithm as Algorithm, CoreResponseType},
};
use url::Url;
use zot_config::Secret;

use super::{
    ask::ask,
    assertion::{self, PrivateKey},
    claims::{Claims, Mapping},
    discovery::Discovery,
    error::Failure,
    provider::{Answer, Asking, Provider, User},
};
use crate::egress::Egress;

/// The signatures that are believed: those that only the holder of a private key can make.
const ALGORITHMS: [Algorithm; 10] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EcdsaP521Sha512,
    Algorithm::EdDsa,
];

type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// A party that speaks OpenID Connect.
#[derive(Debug)]
pub(super) struct OpenIdConnect {
    pub(super) discovery: Discovery,
    pub(super) egress: Egress,
    pub(super) client: ClientId,
    pub(super) secret: Option<Secret>,
    pub(super) key: Option<PrivateKey>,
    pub(super) scopes: Vec<Scope>,
    pub(super) mapping: Mapping,
}

#[async_trait::async_trait]
impl Provider for OpenIdConnect {
    async fn authorize(&self, asking: Asking) -> Result<Url, Failure> {
        let metadata = self.discovery.metadata().await?;
        let client = self.client(&metadata).set_redirect_uri(asking.redirect);
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = client.authorize_url(flow, || CsrfToken::new(asking.state), || asking.nonce);
        Ok(request.add_scopes(self.scopes.iter().cloned()).set_pkce_challenge(asking.challenge).url().0)
    }

    async fn user(&self, answer: Answer) -> Result<User, Failure> {
        let metadata = self.discovery.metadata().await?;
        let nonce = answer.nonce.clone();
        let (access, token) = self.exchange(&metadata, answer).await?;
        let token = self.verified(&metadata, &token, &nonce).await?;
        let info = match metadata.userinfo_endpoint() {
            Some(place) => self.info(place.url(), &access).await?,
            None => Claims::new(),
        };
        // What is said of somebody else is not said of the user (OpenID Connect Core section 5.3.2).
        if !info.is_empty() && info.get("sub") != token.get("sub") {
            return Err(Failure::untrusted("what it says of the user is about somebody else"));
        }
        self.mapping.user(&info, &token)
    }

    async fn log_out(&self, back: &Url) -> Option<Url> {
        let metadata = self.discovery.metadata().await.ok()?;
        let mut place = metadata.additional_metadata().end_session_endpoint.as_ref()?.url().clone();
        if !matches!(place.scheme(), "http" | "https") {
            return None;
        }
        place.query_pairs_mut().append_pair("client_id", &self.client).append_pair("post_logout_redirect_uri", back.as_str());
        Some(place)
    }

    fn issuer(&self) -> Option<&str> {
        Some(self.discovery.issuer().as_str())
    }
}

impl OpenIdConnect {
    fn client(&self, metadata: &Metadata) -> Client {
        let secret = self.secret.as_ref().filter(|_| self.key.is_none()).map(|secret| ClientSecret::new(secret.reveal().to_owned()));
        let client = CoreClient::from_provider_metadata(metadata.clone(), self.client.clone(), secret);
        let methods = metadata.token_endpoint_auth_methods_supported();
        // Without a list, parties take the header (OpenID Connect Discovery section 3).
        let by_header = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        client.set_auth_type(if by_header { AuthType::BasicAuth } else { AuthType::RequestBody })
    }

    async fn exchange(&self, metadata: &Metadata, answer: Answer) -> Result<(AccessToken, CoreIdToken), Failure> {
        let client = self.client(metadata).set_redirect_uri(answer.redirect);
        let request = client.exchange_code(answer.code).map_err(Failure::untrusted)?.set_pkce_verifier(answer.verifier);
        let request = match &self.key {
            Some(key) => {
                let assertion = key.assertion(&self.client, self.discovery.issuer()).map_err(Failure::unavailable)?;
                request.add_extra_param("client_assertion_type", assertion::KIND).add_extra_param("client_assertion", assertion)
            }
            None => request,
        };
        let http = |request: HttpRequest| ask(self.egress.clone(), request);
        let said = request.request_async(&http).await.map_err(|error| match error {
            RequestTokenError::Request(error) => Failure::unavailable(error),
            other => Failure::untrusted(other),
        })?;
        let token = said.id_token().cloned().ok_or_else(|| Failure::untrusted("there is no identity token"))?;
        Ok((said.access_token().clone(), token))
    }

    /// The claims of an identity token, if it is this party's, for this registry, and of this login. Keys that changed since they were asked for
    /// are asked for again.
    async fn verified(&self, metadata: &Arc<Metadata>, token: &CoreIdToken, nonce: &Nonce) -> Result<Claims, Failure> {
        match self.verify(metadata, token, nonce) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
            )) => {
                let renewed = self.discovery.renewed().await?;
                self.verify(&renewed, token, nonce).map_err(Failure::untrusted)?;
            }
            verified => verified.map_err(Failure::untrusted)?,
        }
        // The library knows the claims of the standard only; the signature over all of them is good.
        let text = token.to_string();
        let payload = text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        payload
            .and_then(|payload| serde_json::from_slice(&payload).ok())
            .ok_or_else(|| Failure::untrusted("the identity token is malformed"))
    }

    fn verify(&self, metadata: &Metadata, token: &CoreIdToken, nonce: &Nonce) -> Result<(), ClaimsVerificationError> {
        let client = self.client(metadata);
        let said = metadata.id_token_signing_alg_values_supported();
        let believed = ALGORITHMS.into_iter().filter(|algorithm| said.contains(algorithm));
        token.claims(&client.id_token_verifier().set_allowed_algs(believed), nonce).map(drop)
    }

    async fn info(&self, place: &Url, access: &AccessToken) -> Result<Claims, Failure> {
        let request = http::Request::get(place.as_str())
            .header(header::AUTHORIZATION, format!("Bearer {}", access.secret()))
            .header(header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(Failure::untrusted)?;
        let said = ask(self.egress.clone(), request).await.map_err(Failure::unavailable)?;
        if said.status() != StatusCode::OK {
            return Err(Failure::untrusted(format!("it answers {} to who the user is", said.status())));
        }
        serde_json::from_slice(said.body()).map_err(Failure::untrusted)
    }
}

/// The scopes of a configuration, and the one that makes it OpenID Connect.
pub(super) fn scopes(configured: &[String]) -> Vec<Scope> {
    // The library asks for it anyway.
    configured.iter().filter(|scope| *scope != "openid").map(|scope| Scope::new(scope.clone())).collect()
}

/// The party at `issuer`.
pub(super) fn issuer(text: &str) -> Result<IssuerUrl, url::ParseError> {
    IssuerUrl::new(text.to_owned())
}
