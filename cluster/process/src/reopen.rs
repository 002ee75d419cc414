//! What SIGHUP does: log files are opened anew, after they were moved aside, and the configuration is read again.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::Notify;
use zot_runtime::{
    shutdown::ReloadSignals,
    tasks::Tasks,
    telemetry::{self, AuditLog, LogHandle},
};

/// Opens the log files anew and tells `reload` at every SIGHUP.
pub(crate) fn on_hangup(tasks: &Tasks, logs: &LogHandle, audit: Option<AuditLog>, reload: Arc<Notify>) -> anyhow::Result<()> {
    let mut signals = ReloadSignals::listen().context("listen for signals")?;
    let (logs, stop) = (logs.clone(), tasks.stop());
    tasks.spawn("reopen-logs", async move {
        while stop.run_until_cancelled(signals.received()).await.is_some() {
            let reopened = logs.reopen().and_then(|()| audit.as_ref().map_or(Ok(()), AuditLog::reopen));
            reload.notify_one();
            match reopened {
                Ok(()) => tracing::info!("log files are open anew"),
                Err(error) => tracing::error!(error = %telemetry::chain(&error), "could not open the log files anew"),
            }
        }
    });
    Ok(())
}
