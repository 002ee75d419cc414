//! What can go wrong below the contract, and the one place where it becomes an error of the contract.

use std::{io, path::PathBuf, time::Duration};

use zot_contract::BoxError;

/// When a client should try again after storage refused.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// An error of a port.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read, written, named or removed.
    #[error("{action} `{path}`", path = path.display())]
    File {
        /// What was being done, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The metadata store failed.
    #[error("{action} metadata")]
    Metadata {
        /// What was being done, as a verb.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: BoxError,
    },
    /// The metadata store cannot be opened.
    #[error("open metadata `{path}` (if it is damaged, `zot rebuild` makes it anew from the image layouts)", path = path.display())]
    OpenMetadata {
        /// The file.
        path: PathBuf,
        /// Why it cannot be opened.
        #[source]
        source: BoxError,
    },
    /// The metadata store is being opened again after a failure, or is shut down.
    #[error("metadata store is closed")]
    MetadataClosed,
    /// A store across the network failed, for a reason that may pass.
    #[error("{act}")]
    Remote {
        /// What was being done, as a verb and its object.
        act: String,
        /// Why it failed.
        #[source]
        source: BoxError,
    },
    /// A store refuses for now, or cannot be reached.
    #[error("{what} is not available")]
    Unavailable {
        /// What is not available.
        what: &'static str,
        /// When to try again.
        retry_after: Duration,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A stored record or file is not what was written.
    #[error("{what} is damaged")]
    Damaged {
        /// The record or file.
        what: String,
        /// In what way.
        #[source]
        source: BoxError,
    },
    /// Another process works on the same directory.
    #[error("`{path}` is in use by another process", path = path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A task that was doing the work ended early.
    #[error("work on storage was interrupted")]
    Interrupted(#[source] BoxError),
}

/// The result of every method of a port.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wraps the failure of `action` on `path`; for `map_err`.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// Wraps the failure of `action` on the metadata store; for `map_err`.
    pub(crate) fn metadata<E: Into<BoxError>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Metadata { action, source: source.into() }
    }

    /// Wraps the failure of a store across the network. `act` says what was being done, to what.
    pub fn remote(act: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Remote { act: act.into(), source: source.into() }
    }

    /// Wraps the refusal of a store that asks to be tried again later, such as one that is throttled.
    pub fn unavailable(what: &'static str, retry_after: Duration, source: impl Into<BoxError>) -> Self {
        Self::Unavailable { what, retry_after, source: source.into() }
    }

    /// A stored thing is not what was written.
    pub fn damaged(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Damaged { what: what.into(), source: source.into() }
    }
}

impl From<Error> for zot_contract::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Damaged { .. } => Self::internal(error),
            Error::Unavailable { what, retry_after, source } => Self::Unavailable { what, retry_after, source },
            // Full disks, I/O errors and a store that is being reopened pass.
            Error::File { .. }
            | Error::Metadata { .. }
            | Error::OpenMetadata { .. }
            | Error::Remote { .. }
            | Error::MetadataClosed
            | Error::InUse { .. }
            | Error::Interrupted(_) => Self::Unavailable { what: "storage", retry_after: RETRY_AFTER, source: error.into() },
        }
    }
}

/// Runs blocking work off the asynchronous threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Interrupted(error.into()))?
}

/// An error with everything that caused it, as one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
