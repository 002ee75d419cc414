//! The one line of each run.

use std::time::Duration;

use super::{BoxError, Report};
use crate::telemetry::chain;

/// A run that found nothing to do is told to those only who want to hear everything.
pub(super) fn done(job: &'static str, epoch: Option<u64>, report: &Report, took: Duration) {
    let took_ms = took.as_millis();
    match report.what() {
        Some(what) => tracing::info!(job, epoch, took_ms, "{job}: {what}"),
        None => tracing::debug!(job, epoch, took_ms, "{job}: nothing to do"),
    }
}

pub(super) fn failed(job: &'static str, epoch: Option<u64>, error: &BoxError, again: Duration) {
    tracing::error!(job, epoch, error = %chain(&**error), again_ms = again.as_millis(), "{job} failed");
}
