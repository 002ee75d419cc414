//! All of access on one page: which ways of proving who one is there are, in the order in which they are asked, and what is needed for them.

use std::sync::Arc;

use zot_config::Config;
use zot_contract::Registry;
use zot_runtime::tasks::Tasks;

use crate::{Access, authn::Authenticators};

/// What access is made with, beside the configuration.
#[derive(Clone)]
pub struct Surroundings {
    /// Who keeps what is known of users.
    pub registry: Arc<dyn Registry>,
    /// What runs in the background.
    pub tasks: Tasks,
}

/// Access cannot be made as the configuration says.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {}

impl Access {
    /// Access as `config` says.
    ///
    /// # Errors
    /// A file that the configuration names cannot be used.
    pub async fn open(_config: &Config, _surroundings: &Surroundings) -> Result<Self, OpenError> {
        let authenticators = Authenticators::default();
        Ok(Self::new(authenticators))
    }
}
