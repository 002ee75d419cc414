//! The jobs of a store.

use std::time::Duration;

use zot_runtime::tasks::Tasks;
use zot_storage::Engine;

/// How often within their time to live uploads are looked at.
const REAPS_PER_EXPIRY: u32 = 10;

/// Starts the jobs of a store; they end when the tasks are stopped.
pub(crate) fn start(engine: Engine, upload_expiry: Duration, tasks: &Tasks) {
    let (projecting, stop) = (engine.clone(), tasks.stop());
    tasks.spawn("project-image-layouts", async move {
        stop.run_until_cancelled(projecting.keep_projecting()).await;
    });
    let stop = tasks.stop();
    tasks.spawn("reap-uploads", async move {
        stop.run_until_cancelled(reap_uploads(engine, upload_expiry)).await;
    });
}

async fn reap_uploads(engine: Engine, expiry: Duration) {
    loop {
        tokio::time::sleep(expiry / REAPS_PER_EXPIRY).await;
        match engine.reap_uploads(expiry).await {
            Ok(0) => {}
            Ok(uploads) => tracing::info!(uploads, "gave up uploads that nobody continued"),
            Err(error) => tracing::error!(error = %zot_runtime::telemetry::chain(&error), "could not give up abandoned uploads"),
        }
    }
}
