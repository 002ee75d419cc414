//! Everything about access that one state of the configuration makes; exchanged as a whole when the configuration changes.

use crate::{
    Identity,
    authn::{Asked, Authenticators, Rejected},
};

/// Who is let in, and what they may do.
#[derive(Debug, Default)]
pub struct Access {
    authenticators: Authenticators,
}

impl Access {
    /// Access for those whom `authenticators` know.
    pub fn new(authenticators: Authenticators) -> Self {
        Self { authenticators }
    }

    /// Finds out who a request is from.
    ///
    /// # Errors
    /// What it shows as a proof proves nothing, or cannot be checked for now.
    pub async fn identify(&self, asked: &Asked<'_>) -> Result<Identity, Rejected> {
        self.authenticators.identify(asked).await
    }
}
