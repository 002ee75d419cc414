//! GitHub, which speaks OAuth 2.0 and tells of a user in its own way.

use http::{StatusCode, header};
use oauth2::{RequestTokenError, TokenResponse as _, basic::BasicClient};
use openidconnect::{AccessToken, AuthType, AuthUrl, ClientId, ClientSecret, CsrfToken, HttpRequest, Scope, TokenUrl};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;
use zot_config::Secret;

use super::{
    ask::ask,
    error::Failure,
    provider::{Answer, Asking, Provider, User},
};
use crate::egress::Egress;

/// Where the public GitHub is.
const AUTHORIZE: &str = "https://github.com/login/oauth/authorize";
const TOKEN: &str = "https://github.com/login/oauth/access_token";
const API: &str = "https://api.github.com";
/// Where the API of a GitHub of one's own is, at its host.
const OWN_API: &str = "/api/v3";
/// How many entries a page has.
const PAGE_ENTRIES: usize = 100;
/// The most pages that are asked for.
const PAGES_MAX: usize = 20;

/// GitHub, or one of one's own.
#[derive(Debug)]
pub(super) struct GitHub {
    egress: Egress,
    client: ClientId,
    secret: Option<Secret>,
    scopes: Vec<Scope>,
    authorize: AuthUrl,
    token: TokenUrl,
    api: String,
}

/// The places of a GitHub.
pub(super) struct Places {
    authorize: AuthUrl,
    token: TokenUrl,
    api: String,
}

#[derive(Deserialize)]
struct Email {
    email: String,
    primary: bool,
    verified: bool,
}

#[derive(Deserialize)]
struct Organization {
    login: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
    organization: Organization,
}

impl Places {
    /// Those of the public GitHub, or of the one that the configuration names.
    pub(super) fn configured(own: Option<(&str, &str)>) -> Result<Self, url::ParseError> {
        let (authorize, token) = own.unwrap_or((AUTHORIZE, TOKEN));
        let token_url = Url::parse(token)?;
        let api = if own.is_some() { token_url.origin().ascii_serialization() + OWN_API } else { API.to_owned() };
        Ok(Self { authorize: AuthUrl::new(authorize.to_owned())?, token: TokenUrl::new(token.to_owned())?, api })
    }
}

impl GitHub {
    pub(super) fn new(egress: Egress, client: ClientId, secret: Option<Secret>, scopes: &[String], places: Places) -> Self {
        let scopes = scopes.iter().map(|scope| Scope::new(scope.clone())).collect();
        let Places { authorize, token, api } = places;
        Self { egress, client, secret, scopes, authorize, token, api }
    }

    async fn exchange(&self, answer: Answer) -> Result<AccessToken, Failure> {
        let mut client = BasicClient::new(self.client.clone()).set_auth_type(AuthType::RequestBody);
        if let Some(secret) = &self.secret {
            client = client.set_client_secret(ClientSecret::new(secret.reveal().to_owned()));
        }
        let client = client.set_token_uri(self.token.clone()).set_redirect_uri(answer.redirect);
        let http = |request: HttpRequest| ask(self.egress.clone(), request);
        let said = client.exchange_code(answer.code).set_pkce_verifier(answer.verifier).request_async(&http).await;
        let said = said.map_err(|error| match error {
            RequestTokenError::Request(error) => Failure::unavailable(error),
            // A refusal comes as a success without a token; what it says may hold the code.
            RequestTokenError::Parse(..) => Failure::untrusted("it gives no token for the code"),
            other => Failure::untrusted(other),
        })?;
        Ok(said.access_token().clone())
    }

    /// All pages of a list; nothing if the token is not allowed to see it.
    async fn list<T: DeserializeOwned>(&self, path: &str, access: &AccessToken) -> Result<Vec<T>, Failure> {
        let mut entries = Vec::new();
        for page in 1..=PAGES_MAX {
            let request = http::Request::get(format!("{}{path}?per_page={PAGE_ENTRIES}&page={page}", self.api))
                .header(header::AUTHORIZATION, format!("Bearer {}", access.secret()))
                .header(header::ACCEPT, "application/vnd.github+json")
                .body(Vec::new())
                .map_err(Failure::untrusted)?;
            let said = ask(self.egress.clone(), request).await.map_err(Failure::unavailable)?;
            match said.status() {
                StatusCode::OK => {}
                StatusCode::FORBIDDEN => break,
                status => return Err(Failure::untrusted(format!("it answers {status} to {path}"))),
            }
            let read: Vec<T> = serde_json::from_slice(said.body()).map_err(Failure::untrusted)?;
            let last = read.len() < PAGE_ENTRIES;
            entries.extend(read);
            if last {
                break;
            }
        }
        Ok(entries)
    }
}

#[async_trait::async_trait]
impl Provider for GitHub {
    async fn authorize(&self, asking: Asking) -> Result<Url, Failure> {
        let client = BasicClient::new(self.client.clone()).set_auth_uri(self.authorize.clone()).set_redirect_uri(asking.redirect);
        let request = client.authorize_url(|| CsrfToken::new(asking.state)).add_scopes(self.scopes.iter().cloned());
        Ok(request.set_pkce_challenge(asking.challenge).url().0)
    }

    async fn user(&self, answer: Answer) -> Result<User, Failure> {
        let access = self.exchange(answer).await?;
        let emails: Vec<Email> = self.list("/user/emails", &access).await?;
        let primary = emails.into_iter().find(|email| email.primary && email.verified);
        let name = primary.ok_or(Failure::Nameless("the user has no primary email address that is verified"))?.email;
        let organizations: Vec<Organization> = self.list("/user/orgs", &access).await?;
        let teams: Vec<Team> = self.list("/user/teams", &access).await?;
        let mut groups: Vec<String> = organizations.into_iter().map(|organization| organization.login).collect();
        groups.extend(teams.into_iter().map(|team| format!("{}/{}", team.organization.login, team.slug)));
        groups.sort();
        groups.dedup();
        Ok(User { name, groups })
    }

    async fn log_out(&self, _back: &Url) -> Option<Url> {
        None
    }

    fn issuer(&self) -> Option<&str> {
        None
    }
}
