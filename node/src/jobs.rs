//! The jobs of the stores.

use std::{sync::Arc, time::Duration};

use zot_runtime::{
    schedule::{BoxError, Every, Job, JobContext, Report, Roles, Scheduler, Scope},
    tasks::Tasks,
};
use zot_storage::Engine;

/// How often within their time to live uploads are looked at.
const REAPS_PER_EXPIRY: u32 = 10;

/// The longest a look at them may take.
const REAP_MAX: Duration = Duration::from_secs(3600);

/// Starts the jobs of the stores; they end when the tasks are stopped.
pub(crate) fn start(engines: Vec<Engine>, upload_expiry: Duration, tasks: &Tasks, roles: Arc<dyn Roles>) {
    for engine in engines.clone() {
        let stop = tasks.stop();
        tasks.spawn("project-image-layouts", async move {
            stop.run_until_cancelled(engine.keep_projecting()).await;
        });
    }
    let every = Every { period: upload_expiry / REAPS_PER_EXPIRY, run_max: REAP_MAX };
    Scheduler::new(tasks.clone(), roles).start(ReapUploads { engines, expiry: upload_expiry }, every);
}

/// Gives up uploads that nobody continued. Stores that several nodes share are looked at by one of them.
struct ReapUploads {
    engines: Vec<Engine>,
    expiry: Duration,
}

impl Job for ReapUploads {
    const NAME: &'static str = "reap-uploads";
    const SCOPE: Scope = Scope::Leader;

    async fn run(&self, _: &JobContext) -> Result<Report, BoxError> {
        let (mut uploads, mut failed) = (0, None);
        for engine in &self.engines {
            match engine.reap_uploads(self.expiry).await {
                Ok(given_up) => uploads += given_up,
                // The other stores can still be looked at.
                Err(error) => failed = Some(error),
            }
        }
        match (failed, uploads) {
            (Some(error), _) => Err(error.into()),
            (None, 0) => Ok(Report::nothing()),
            (None, uploads) => Ok(Report::did(format!("gave up {uploads} uploads that nobody continued"))),
        }
    }
}
