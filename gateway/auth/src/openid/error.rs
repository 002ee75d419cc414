//! Why somebody is not logged in.

use zot_contract::BoxError;

use crate::sessions::StoreError;

/// Why somebody is not logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The configuration has no such party.
    #[error("log in at a party that is not configured")]
    ProviderUnknown,
    /// The login is not known: it was begun in another browser, took too long, or has ended already.
    #[error("go on with a login that is not known")]
    Unknown,
    /// The party did not let them in.
    #[error("log in at {provider}: {reason}")]
    Denied {
        /// The party.
        provider: String,
        /// What it said.
        reason: String,
    },
    /// What the party said cannot be believed.
    #[error("believe {provider}")]
    Untrusted {
        /// The party.
        provider: String,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// The party does not say what to call them.
    #[error("learn a name from {provider}: {reason}")]
    Nameless {
        /// The party.
        provider: String,
        /// What is missing.
        reason: &'static str,
    },
    /// The party cannot be asked now.
    #[error("ask {provider}")]
    ProviderUnavailable {
        /// The party.
        provider: String,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// Logins and sessions cannot be kept now.
    #[error("keep a login")]
    StoreUnavailable(#[from] StoreError),
}

/// What became of asking a party, before it is said which.
#[derive(Debug)]
pub(super) enum Failure {
    /// It cannot be asked now.
    Unavailable(BoxError),
    /// What it said cannot be believed.
    Untrusted(BoxError),
    /// It does not say what to call the user.
    Nameless(&'static str),
}

impl Failure {
    pub(super) fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::Unavailable(source.into())
    }

    pub(super) fn untrusted(source: impl Into<BoxError>) -> Self {
        Self::Untrusted(source.into())
    }

    pub(super) fn at(self, provider: &str) -> LoginError {
        let provider = provider.to_owned();
        match self {
            Self::Unavailable(source) => LoginError::ProviderUnavailable { provider, source },
            Self::Untrusted(source) => LoginError::Untrusted { provider, source },
            Self::Nameless(reason) => LoginError::Nameless { provider, reason },
        }
    }
}
