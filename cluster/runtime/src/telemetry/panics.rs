//! A panic as a log line, for those that nobody catches and those that somebody does.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic;

/// Logs every panic of the process as an error with its place, instead of text on standard error.
///
/// `RUST_BACKTRACE=1` adds the field `traceback`.
pub fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let error = panic_text(panic.payload());
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = Backtrace::capture();
        let traceback = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(error, location, traceback, "panicked");
    }));
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is no text")
}
