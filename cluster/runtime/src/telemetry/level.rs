//! The four levels of zot's log, and the level in force, which may change while the process runs.

use std::sync::atomic::{AtomicU8, Ordering};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::LevelFilter;

/// Raft reports each message that a node which is down does not answer, as an error.
const VERBOSE: &str = "openraft";

/// How much is logged; zot's `trace` is `Debug`, its `fatal` and `panic` are `Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LogLevel {
    /// Everything our own code says.
    Debug,
    /// What happens: the access line of each request among it.
    Info,
    /// What an operator should look at.
    Warn,
    /// What failed.
    Error,
}

impl LogLevel {
    /// Returns the name written as `level`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    pub(super) fn of(level: &Level) -> Self {
        match *level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warn,
            Level::INFO => Self::Info,
            _ => Self::Debug,
        }
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
        }
    }
}

/// The level in force, shared by everything that logs.
#[derive(Debug)]
pub(super) struct CurrentLevel(AtomicU8);

impl CurrentLevel {
    pub(super) const fn new(level: LogLevel) -> Self {
        Self(AtomicU8::new(level as u8))
    }

    pub(super) fn get(&self) -> LogLevel {
        match self.0.load(Ordering::Relaxed) {
            0 => LogLevel::Debug,
            1 => LogLevel::Info,
            2 => LogLevel::Warn,
            _ => LogLevel::Error,
        }
    }

    pub(super) fn set(&self, level: LogLevel) {
        self.0.store(level as u8, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    /// Whether an event or a span is recorded.
    ///
    /// Other crates are heard from `warn` on: what their debug lines hold is not ours to vouch for. One that warns several times
    /// a second of what our own lines say once is heard only when everything is. Our spans are kept at every level, so that a
    /// warning still names the task or request it belongs to.
    pub(super) fn allows(&self, metadata: &Metadata<'_>) -> bool {
        let own = metadata.target().starts_with("zot");
        if metadata.target().starts_with(VERBOSE) && self.get() > LogLevel::Debug {
            return false;
        }
        if metadata.is_span() {
            return own && *metadata.level() <= Level::INFO;
        }
        let level = if own { self.get() } else { self.get().max(LogLevel::Warn) };
        *metadata.level() <= level.filter()
    }

    pub(super) fn most_verbose(&self) -> LevelFilter {
        self.get().filter().max(LevelFilter::INFO)
    }
}
