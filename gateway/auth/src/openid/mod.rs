//! Logging in at another party in the browser: OpenID Connect, and GitHub's OAuth 2.0. The browser is sent there with a question, comes back with
//! an answer, and has a session then.
//!
//! Always: a proof key (PKCE), a nonce, and a state that is good once, for ten minutes, in the browser that began.

mod ask;
mod assertion;
mod claims;
mod destination;
mod discovery;
mod error;
mod github;
mod oidc;
mod open;
mod pending;
mod provider;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, HeaderValue};
use openidconnect::{AuthorizationCode, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use url::{Url, form_urlencoded};

use self::{
    destination::Destinations,
    pending::{Pending, PendingLogins, Secrets},
    provider::{Answer, Asking, Provider},
};
use crate::{
    accounts::Accounts,
    sessions::{LoginMethod, Session, Sessions},
};

pub use self::{assertion::PrivateKeyError, error::LoginError, open::LoginsError};

/// The longest text that a party may give as a reason, in characters.
const REASON_CHARS_MAX: usize = 300;

/// The parties at which users log in.
#[derive(Debug)]
pub struct Logins {
    providers: BTreeMap<String, Box<dyn Provider>>,
    pending: PendingLogins,
    sessions: Arc<Sessions>,
    destinations: Destinations,
    /// The URL of the registry itself, without a slash at its end.
    own: String,
    /// Where groups are noted, for the API keys of their users.
    accounts: Option<Arc<Accounts>>,
}

/// What a browser is told.
#[derive(Debug)]
pub struct Told {
    /// Where to go, if anywhere.
    pub location: Option<String>,
    /// Which cookies to keep or forget.
    pub cookies: Vec<HeaderValue>,
}

impl Logins {
    /// The same, which notes the groups of those who log in.
    #[must_use]
    pub fn noting(self, accounts: Arc<Accounts>) -> Self {
        Self { accounts: Some(accounts), ..self }
    }

    /// Begins a login by the query of a request: `provider` says where, `callback_ui` where the browser goes when it is done.
    ///
    /// # Errors
    /// The party is not known, or cannot be asked; or nothing can be kept.
    pub async fn begin(&self, query: Option<&str>) -> Result<Told, LoginError> {
        let asked = Query::parse(query);
        let name = asked.one("provider").ok_or(LoginError::ProviderUnknown)?.to_lowercase();
        let provider = self.providers.get(&name).ok_or(LoginError::ProviderUnknown)?;
        let destination = asked.one("callback_ui").and_then(|place| self.destinations.check(place));
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = Nonce::new_random();
        let (secrets, pending) = (Secrets::random(), Pending::new(&name, nonce.secret(), verifier.secret(), destination));
        let asking = Asking { redirect: self.redirect(&name)?, state: secrets.state(), nonce, challenge };
        let location = provider.authorize(asking).await.map_err(|failure| failure.at(&name))?;
        let cookie = self.pending.begin(pending, &secrets).await?;
        Ok(Told { location: Some(location.into()), cookies: vec![cookie] })
    }

    /// Ends a login at the party `name` by the query and the cookies of a request: whoever the party says it is has a session then. Returns it
    /// with what the browser is told.
    ///
    /// # Errors
    /// The login is not known here, the party did not let them in or cannot be believed or asked, or nothing can be kept.
    pub async fn end(&self, name: &str, query: Option<&str>, headers: &HeaderMap) -> Result<(Session, Told), LoginError> {
        let name = name.to_lowercase();
        let provider = self.providers.get(&name).ok_or(LoginError::ProviderUnknown)?;
        let said = Query::parse(query);
        let (pending, forget) = self.pending.end(said.one("state").ok_or(LoginError::Unknown)?, &name, headers).await?;
        if let Some(error) = said.one("error") {
            let reason = said.one("error_description").map_or_else(|| error.to_owned(), |more| format!("{error}: {more}"));
            return Err(LoginError::Denied { provider: name, reason: reason.chars().take(REASON_CHARS_MAX).collect() });
        }
        if said.one("iss").zip(provider.issuer()).is_some_and(|(said, known)| said != known) {
            return Err(LoginError::Untrusted { provider: name, source: "it is somebody else who answers".into() });
        }
        let answer = Answer {
            redirect: self.redirect(&name)?,
            code: AuthorizationCode::new(said.one("code").ok_or(LoginError::Unknown)?.to_owned()),
            nonce: Nonce::new(pending.nonce),
            verifier: PkceCodeVerifier::new(pending.verifier),
        };
        let user = provider.user(answer).await.map_err(|failure| failure.at(&name))?;
        if let Some(accounts) = &self.accounts {
            accounts.remember_groups(&user.name, user.groups.clone()).await;
        }
        let session = Session::new(&user.name, user.groups, LoginMethod::OpenId, Some(&name));
        let mut cookies = self.sessions.begin(headers, &session).await?;
        cookies.push(forget);
        Ok((session, Told { location: pending.destination, cookies }))
    }

    /// Where a browser goes to log out at the party `name` as well, if there is such a place.
    pub async fn log_out(&self, name: &str) -> Option<String> {
        let back = Url::parse(&format!("{}/login", self.own)).ok()?;
        Some(self.providers.get(name)?.log_out(&back).await?.into())
    }

    /// Whether `origin`, as a browser says it of a page, is the registry's own.
    pub fn is_own(&self, origin: &str) -> bool {
        Url::parse(origin).is_ok_and(|url| Url::parse(&self.own).is_ok_and(|own| own.origin() == url.origin()))
    }

    fn redirect(&self, name: &str) -> Result<RedirectUrl, LoginError> {
        let redirect = RedirectUrl::new(format!("{}/zot/auth/callback/{name}", self.own));
        redirect.map_err(|source| LoginError::Untrusted { provider: name.to_owned(), source: source.into() })
    }
}

/// The parameters of a request. Those that are given twice are not given: which one somebody else would see cannot be told.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(query: Option<&str>) -> Self {
        Self(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }
}
