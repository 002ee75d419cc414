//! What can go wrong with Redis.

use std::{io, path::PathBuf, sync::Arc};

use redis::RedisError;

/// Why a connection cannot be made from its settings: trying again will not help.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings make no sense.
    #[error("configure Redis: {0}")]
    Settings(String),
    /// The file of authorities cannot be read.
    #[error("read `{path}`", path = path.display())]
    ReadAuthorities {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file of authorities holds no certificate, or one that cannot be used.
    #[error("find certificates in `{path}`", path = path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
    },
    /// The client refuses the settings.
    #[error("configure the Redis client")]
    Client(#[source] RedisError),
}

/// Why a command failed. None of these says anything about what is stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No server that could answer was reached, or it went away; trying later may help.
    #[error("{act} in Redis: not reachable")]
    Unreachable {
        /// What was being done.
        act: &'static str,
        /// Why.
        #[source]
        source: Arc<RedisError>,
    },
    /// There was no answer in time; trying later may help.
    #[error("{act} in Redis: no answer in time")]
    TimedOut {
        /// What was being done.
        act: &'static str,
    },
    /// The server refused, or answered something else than was asked for.
    #[error("{act} in Redis")]
    Refused {
        /// What was being done.
        act: &'static str,
        /// What it said.
        #[source]
        source: Arc<RedisError>,
    },
}

/// The result of every command.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What became of `act` when the client said `source`.
    pub(crate) fn of(act: &'static str, source: RedisError) -> Self {
        if source.is_timeout() {
            return Self::TimedOut { act };
        }
        let source = Arc::new(source);
        if breaks(&source) || passes(&source) { Self::Unreachable { act, source } } else { Self::Refused { act, source } }
    }

    /// The same failure, met while doing something else.
    pub(crate) fn during(&self, act: &'static str) -> Self {
        match self {
            Self::Unreachable { source, .. } => Self::Unreachable { act, source: source.clone() },
            Self::TimedOut { .. } => Self::TimedOut { act },
            Self::Refused { source, .. } => Self::Refused { act, source: source.clone() },
        }
    }
}

/// Whether the link is to be made anew after this: it is down, or leads to a server that is not a primary any more.
pub(crate) fn breaks(error: &RedisError) -> bool {
    use redis::{ErrorKind, ServerErrorKind};
    error.is_io_error() || error.is_unrecoverable_error() || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

/// Whether the servers say that they cannot answer for the moment.
fn passes(error: &RedisError) -> bool {
    use redis::{ErrorKind, ServerErrorKind as Server};
    match error.kind() {
        ErrorKind::Server(kind) => matches!(kind, Server::BusyLoading | Server::ClusterDown | Server::MasterDown | Server::TryAgain),
        ErrorKind::MasterNameNotFoundBySentinel => true,
        _ => false,
    }
}
