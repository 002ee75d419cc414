//! The process's log: started once from its options, adjusted through a handle, flushed when its guard goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::Subscriber;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::LogError;
use super::access::AccessLog;
use super::destination;
use super::layer::JsonLayer;
use super::level::{CurrentLevel, LogLevel};
use super::writer::{PENDING_BYTES_MAX, Writer, WriterGuard, WriterOptions};

/// How long the writer gathers lines while a process is busy, in milliseconds: what a crash may cost.
const LINGER_MILLIS: u64 = 10;

/// What to log, and where to.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The least that is logged.
    pub level: LogLevel,
    /// A file to append to, made with mode 0600; standard output without one.
    pub output: Option<PathBuf>,
}

/// Changes a running log; cheap to clone.
#[derive(Clone)]
pub struct LogHandle {
    level: Arc<CurrentLevel>,
    writer: Writer,
    output: Option<PathBuf>,
}

/// Keeps the log running; when dropped, writes what is left, waiting two seconds at most.
#[must_use = "the log ends when its guard is dropped"]
pub struct LogGuard {
    handle: LogHandle,
    _writer: WriterGuard,
}

/// Starts the log and makes it the process's own.
///
/// # Errors
/// The output cannot be opened, the writer cannot be started, or a log is installed already.
pub fn init(options: &LogOptions) -> Result<LogGuard, LogError> {
    let (subscriber, guard) = subscriber(options)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Installed)?;
    Ok(guard)
}

/// Starts a log without making it the process's own: for `tracing::subscriber::with_default`.
///
/// # Errors
/// The output cannot be opened or the writer cannot be started.
pub fn subscriber(options: &LogOptions) -> Result<(impl Subscriber + Send + Sync + use<>, LogGuard), LogError> {
    let sink = destination::open(options.output.as_deref())?;
    let (writer, guard) = Writer::start(
        sink,
        WriterOptions {
            thread: "log-writer",
            noun: "log lines",
            pending_bytes_max: PENDING_BYTES_MAX,
            linger: Duration::from_millis(LINGER_MILLIS),
        },
    )?;
    let level = Arc::new(CurrentLevel::new(options.level));
    let layer = JsonLayer::new(writer.clone(), Arc::clone(&level));
    let handle = LogHandle { level, writer, output: options.output.clone() };
    Ok((Registry::default().with(layer), LogGuard { handle, _writer: guard }))
}

impl LogGuard {
    /// Returns a handle that may outlive the guard; its lines are then dropped.
    pub fn handle(&self) -> LogHandle {
        self.handle.clone()
    }
}

impl LogHandle {
    /// Returns the level in force.
    pub fn level(&self) -> LogLevel {
        self.level.get()
    }

    /// Changes the level for everything that logs, access lines included.
    pub fn set_level(&self, level: LogLevel) {
        self.level.set(level);
    }

    /// Returns the file it appends to; `None` is standard output.
    pub fn output(&self) -> Option<&Path> {
        self.output.as_deref()
    }

    /// Returns the log of requests, written to the same place.
    pub fn access_log(&self) -> AccessLog {
        AccessLog::new(self.writer.clone(), Arc::clone(&self.level))
    }

    /// Opens the output by its name again, after it was renamed to rotate it; nothing to do for standard output.
    ///
    /// # Errors
    /// The file cannot be opened; the log then goes on in the one it has.
    pub fn reopen(&self) -> Result<(), LogError> {
        if let Some(path) = self.output() {
            self.writer.replace(destination::open(Some(path))?);
        }
        Ok(())
    }

    /// Blocks until every line so far is written, at most `limit`; returns whether they are.
    pub fn flush(&self, limit: Duration) -> bool {
        self.writer.flush(limit)
    }
}
