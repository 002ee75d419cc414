//! The one line of each run.

use std::time::Duration;

use super::{BoxError, Report, runner::Panicked};
use crate::telemetry::chain;

/// A run that found nothing to do is told to those only who want to hear everything.
pub(super) fn done(job: &'static str, epoch: Option<u64>, report: &Report, took: Duration) {
    let took_ms = took.as_millis();
    match report.what() {
        Some(what) => tracing::info!(job, epoch, took_ms, "{job}: {what}"),
        None => tracing::debug!(job, epoch, took_ms, "{job}: nothing to do"),
    }
}

/// What works again at the next attempt is no more than a warning.
pub(super) fn failed(job: &'static str, epoch: Option<u64>, error: &BoxError, failures: u32, again: Duration) {
    let (text, again_ms) = (chain(&**error), again.as_millis());
    if failures == 1 && !error.is::<Panicked>() {
        tracing::warn!(job, epoch, error = %text, again_ms, "{job} failed");
    } else {
        tracing::error!(job, epoch, error = %text, again_ms, failures, "{job} failed");
    }
}
