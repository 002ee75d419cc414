//! Everything about access that one state of the configuration makes; exchanged as a whole when the configuration changes.

use crate::{
    Identity,
    authn::{Asked, Authenticators, Rejected, bearer::TokenEndpoint},
};

/// Who is let in, and what they may do.
#[derive(Debug, Default)]
pub struct Access {
    authenticators: Authenticators,
    token_endpoint: Option<TokenEndpoint>,
}

impl Access {
    /// Access for those whom `authenticators` know.
    pub fn new(authenticators: Authenticators) -> Self {
        Self { authenticators, token_endpoint: None }
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

    /// Finds out who a request is from.
    ///
    /// # Errors
    /// What it shows as a proof proves nothing, or cannot be checked for now.
    pub async fn identify(&self, asked: &Asked<'_>) -> Result<Identity, Rejected> {
        self.authenticators.identify(asked).await
    }
}
