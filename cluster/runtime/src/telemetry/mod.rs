//! Structured logs as zot writes them: one JSON object a line, formatted by hand and written by a thread of its own,
//! so that no request ever waits for the log.

mod access;
mod audit;
mod chain;
mod destination;
mod fields;
mod layer;
mod level;
mod line;
mod log;
mod panics;
mod secrets;
mod writer;

use std::path::PathBuf;

pub use access::{AccessLine, AccessLog};
pub use audit::{AuditLine, AuditLog};
pub use chain::chain;
pub use level::LogLevel;
pub use log::{LogGuard, LogHandle, LogOptions, init, subscriber};
pub use panics::log_panics;
pub(crate) use panics::panic_text;
pub use secrets::masked_target;

/// Longest value written, in bytes before escaping; what is longer ends in `…`.
pub const VALUE_BYTES_MAX: usize = 4 * 1024;

/// Why a log could not be started or opened again.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened or made.
    #[error("open log file `{}`", path.display())]
    Open {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The process has no usable standard output.
    #[error("write the log to standard output")]
    Stdout(#[source] std::io::Error),
    /// The thread that writes the lines cannot be started.
    #[error("start the log's writer thread")]
    Thread(#[source] std::io::Error),
    /// [`init`] was called before in this process.
    #[error("install the log: one is already installed")]
    Installed,
}

#[cfg(test)]
pub(crate) mod tests;
