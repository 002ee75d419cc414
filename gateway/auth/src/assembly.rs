//! All of access on one page: which ways of proving who one is there are, in the order in which they are asked, and what is needed for them.

use std::sync::Arc;

use zot_config::{Config, Problem};
use zot_contract::Registry;
use zot_runtime::tasks::Tasks;

use crate::{Access, Challenges, authn::Authenticators, authz::Policy};

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
pub enum OpenError {
    /// The rules of who may do what.
    #[error("compile the rules: {}", one_line(.problems))]
    Rules {
        /// Everything that is wrong with them.
        problems: Vec<Problem>,
    },
}

/// What is wrong with a configuration that only those see who know what to do with it. Nothing outside of it is looked at.
pub fn check(config: &Config) -> Vec<Problem> {
    config.http.access_control.as_ref().and_then(|written| Policy::compile(written).err()).unwrap_or_default()
}

fn one_line(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Access {
    /// Access as `config` says.
    ///
    /// # Errors
    /// A file that the configuration names cannot be used.
    pub async fn open(config: &Config, _surroundings: &Surroundings) -> Result<Self, OpenError> {
        let authenticators = Authenticators::default();
        let challenges = Challenges::configured(&config.http, !authenticators.passwords.is_empty());
        let policy = match &config.http.access_control {
            Some(written) => Policy::compile(written).map_err(|problems| OpenError::Rules { problems })?,
            None => Policy::without_rules(config.http.auth.is_on() || authenticators.is_on()),
        };
        Ok(Self::new(authenticators).governed(policy).challenging(challenges))
    }
}
