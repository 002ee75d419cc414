//! Everything about access that one state of the configuration makes; exchanged as a whole when the configuration changes.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::{
    Challenges, Identity, Method,
    api_keys::ApiKeys,
    authn::{Asked, Authenticators, Rejected, bearer::TokenEndpoint},
    authz::Policy,
    openid::{LoginError, Logins, Told},
    sessions::{self, LoginMethod, Session, Sessions, StoreError},
};

/// Who is let in, and what they may do.
#[derive(Debug, Default)]
pub struct Access {
    authenticators: Authenticators,
    policy: Policy,
    challenges: Challenges,
    token_endpoint: Option<TokenEndpoint>,
    api_keys: Option<ApiKeys>,
    logins: Option<Logins>,
    fail_delay: Duration,
}

/// Who a request is from, and what their browser is told besides the answer.
#[derive(Debug)]
pub struct Identified {
    /// Who it is from.
    pub identity: Identity,
    /// Which cookies to keep or forget.
    pub cookies: Vec<HeaderValue>,
}

impl Access {
    /// Access for those whom `authenticators` know: to everything, until a policy says otherwise.
    pub fn new(authenticators: Authenticators) -> Self {
        let policy = Policy::without_rules(authenticators.is_on());
        Self {
            authenticators,
            policy,
            challenges: Challenges::default(),
            token_endpoint: None,
            api_keys: None,
            logins: None,
            fail_delay: Duration::ZERO,
        }
    }

    /// The same, but whoever shows wrong credentials waits so long to be told.
    #[must_use]
    pub fn delaying(self, fail_delay: Duration) -> Self {
        Self { fail_delay, ..self }
    }

    /// How long to hold a refusal back. Who cannot be asked has told nothing about the credentials.
    pub fn delay_of(&self, rejected: &Rejected) -> Duration {
        match rejected {
            Rejected::Invalid(_) | Rejected::Wrong => self.fail_delay,
            Rejected::Unavailable { .. } => Duration::ZERO,
        }
    }

    /// The same, with `endpoint` handing out tokens.
    #[must_use]
    pub fn with_token_endpoint(self, endpoint: Option<TokenEndpoint>) -> Self {
        Self { token_endpoint: endpoint, ..self }
    }

    /// What hands out tokens, if anything does.
    pub fn token_endpoint(&self) -> Option<&TokenEndpoint> {
        self.token_endpoint.as_ref()
    }

    /// The same, for those too who log in at other parties.
    #[must_use]
    pub fn with_logins(self, logins: Option<Logins>) -> Self {
        Self { logins, ..self }
    }

    /// The same, to what `policy` grants.
    #[must_use]
    pub fn governed(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// The same, with what those are told who have to say who they are.
    #[must_use]
    pub fn challenging(self, challenges: Challenges) -> Self {
        Self { challenges, ..self }
    }

    /// The same, for users who make keys for their tools.
    #[must_use]
    pub fn with_api_keys(self, api_keys: Option<ApiKeys>) -> Self {
        Self { api_keys, ..self }
    }

    /// The keys of users, if they can make any.
    pub fn api_keys(&self) -> Option<&ApiKeys> {
        self.api_keys.as_ref()
    }

    /// Who may do what.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What those are told who have to say who they are.
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Finds out who a request is from, with the groups that the configuration puts its user into.
    ///
    /// # Errors
    /// What it shows as a proof proves nothing, or cannot be checked for now.
    pub async fn identify(&self, asked: &Asked<'_>) -> Result<Identified, Rejected> {
        let mut identity = self.authenticators.identify(asked).await?;
        // A session keeps what was proved, not what the configuration adds: that may change sooner.
        let cookies = self.cookies(asked.headers, &identity).await;
        let configured = identity.user().map_or(&[][..], |user| self.policy.groups_of(user));
        if !configured.is_empty() {
            identity.groups.extend(configured.iter().cloned());
            identity.groups.sort();
            identity.groups.dedup();
        }
        Ok(Identified { identity, cookies })
    }

    /// Begins a login at another party; see [`Logins::begin`].
    ///
    /// # Errors
    /// It cannot be begun.
    pub async fn begin_login(&self, query: Option<&str>) -> Result<Told, LoginError> {
        self.logins.as_ref().ok_or(LoginError::ProviderUnknown)?.begin(query).await
    }

    /// Ends a login at another party; see [`Logins::end`].
    ///
    /// # Errors
    /// Nobody is logged in.
    pub async fn end_login(&self, provider: &str, query: Option<&str>, headers: &HeaderMap) -> Result<(Session, Told), LoginError> {
        self.logins.as_ref().ok_or(LoginError::ProviderUnknown)?.end(provider, query, headers).await
    }

    /// Ends the session that a request shows, on all gateways. Tells the browser to forget it, and where to go to log out at the other party.
    ///
    /// # Errors
    /// The session may go on: its store cannot be reached.
    pub async fn log_out(&self, headers: &HeaderMap) -> Result<Told, StoreError> {
        match &self.authenticators.sessions {
            Some(sessions) => Ok(self.left(sessions, sessions.end(headers).await?).await),
            None => Ok(Told { location: None, cookies: Vec::new() }),
        }
    }

    /// The same, and ends all other sessions of the same user as well. Without a session there is no such user, and nothing to tell.
    ///
    /// # Errors
    /// They may go on: their store or the records of users cannot be reached.
    pub async fn log_out_everywhere(&self, headers: &HeaderMap) -> Result<Option<Told>, StoreError> {
        let Some(sessions) = &self.authenticators.sessions else { return Ok(None) };
        match sessions.end_all(headers).await? {
            Some(session) => Ok(Some(self.left(sessions, Some(session)).await)),
            None => Ok(None),
        }
    }

    /// What a browser is told whose session has ended.
    async fn left(&self, sessions: &Sessions, session: Option<Session>) -> Told {
        let provider = session.and_then(|session| session.provider);
        let location = match provider.zip(self.logins.as_ref()) {
            Some((provider, logins)) => logins.log_out(&provider).await,
            None => None,
        };
        Told { location, cookies: sessions.forgotten() }
    }

    /// Whether `origin` is that of the registry's own pages.
    pub fn is_own_origin(&self, origin: &str) -> bool {
        self.logins.as_ref().is_some_and(|logins| logins.is_own(origin))
    }

    /// Whoever shows a password on the registry's own pages has a session from then on; a session that leads nowhere is forgotten.
    async fn cookies(&self, headers: &HeaderMap, identity: &Identity) -> Vec<HeaderValue> {
        let Some(sessions) = self.authenticators.sessions.as_ref().filter(|_| sessions::is_from_pages(headers)) else { return Vec::new() };
        let method = match identity.method {
            Method::Htpasswd => LoginMethod::Htpasswd,
            Method::Ldap => LoginMethod::Ldap,
            Method::Anonymous => return sessions.forgotten_if_shown(headers),
            _ => return Vec::new(),
        };
        let Some(user) = identity.user() else { return Vec::new() };
        let groups = identity.groups.iter().map(ToString::to_string).collect();
        match sessions.begin_or_keep(headers, &Session::new(user, groups, method, None)).await {
            Ok(cookies) => cookies,
            // The password was right: the request is answered, and the next one shows it again.
            Err(error) => {
                tracing::warn!(error = %zot_runtime::telemetry::chain(&error), "a session could not be begun");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::InvalidCredentials;

    #[test]
    fn only_wrong_credentials_are_held_back() {
        let delay = Duration::from_secs(5);
        let access = Access::new(Authenticators::default()).delaying(delay);
        assert_eq!(access.delay_of(&Rejected::Wrong), delay);
        assert_eq!(access.delay_of(&InvalidCredentials::Basic.into()), delay);
        let unavailable = Rejected::Unavailable { what: "the directory", source: "connection refused".into() };
        assert_eq!(access.delay_of(&unavailable), Duration::ZERO);
        assert_eq!(Access::default().delay_of(&Rejected::Wrong), Duration::ZERO);
    }
}
