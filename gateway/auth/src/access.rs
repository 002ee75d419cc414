//! Everything about access that one state of the configuration makes; exchanged as a whole when the configuration changes.

use crate::{
    Challenges, Identity,
    api_keys::ApiKeys,
    authn::{Asked, Authenticators, Rejected, bearer::TokenEndpoint},
    authz::Policy,
};

/// Who is let in, and what they may do.
#[derive(Debug, Default)]
pub struct Access {
    authenticators: Authenticators,
    policy: Policy,
    challenges: Challenges,
    token_endpoint: Option<TokenEndpoint>,
    api_keys: Option<ApiKeys>,
}

impl Access {
    /// Access for those whom `authenticators` know: to everything, until a policy says otherwise.
    pub fn new(authenticators: Authenticators) -> Self {
        let policy = Policy::without_rules(authenticators.is_on());
        Self { authenticators, policy, challenges: Challenges::default(), token_endpoint: None, api_keys: None }
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
    pub async fn identify(&self, asked: &Asked<'_>) -> Result<Identity, Rejected> {
        let mut identity = self.authenticators.identify(asked).await?;
        let configured = identity.user().map_or(&[][..], |user| self.policy.groups_of(user));
        if !configured.is_empty() {
            identity.groups.extend(configured.iter().cloned());
            identity.groups.sort();
            identity.groups.dedup();
        }
        Ok(identity)
    }
}
