//! The jobs of the stores.

use std::{sync::Arc, time::Duration};

use zot_runtime::{
    schedule::{BoxError, Every, Job, JobContext, Report, Roles, Scheduler, Scope},
    tasks::Tasks,
};

use crate::{Node, stores::Opened};

/// How often within their time to live uploads are looked at.
const REAPS_PER_EXPIRY: u32 = 10;

/// The longest a look at them may take.
const REAP_MAX: Duration = Duration::from_secs(3600);

/// Starts the jobs of the stores; they end when the tasks are stopped.
pub(crate) fn start(node: &Arc<Node>, upload_expiry: Duration, tasks: &Tasks, roles: Arc<dyn Roles>) {
    for store in node.stores() {
        let (engine, stop) = (store.engine.clone(), tasks.stop());
        tasks.spawn("project-image-layouts", async move {
            stop.run_until_cancelled(engine.keep_projecting()).await;
        });
    }
    let every = Every { period: upload_expiry / REAPS_PER_EXPIRY, run_max: REAP_MAX };
    Scheduler::new(tasks.clone(), roles).start(ReapUploads { node: Arc::clone(node), expiry: upload_expiry }, every);
}

/// Gives up uploads that nobody continued. Stores that several nodes share are looked at by one of them.
struct ReapUploads {
    node: Arc<Node>,
    expiry: Duration,
}

impl ReapUploads {
    /// Gives up what nobody continued, and what nobody knows of. What is remembered of changes is forgotten on the way, once it is of no use.
    async fn reap(&self, store: &Opened) -> zot_storage::Result<usize> {
        let given_up = store.engine.reap_uploads(self.expiry).await?;
        let orphaned = match &store.orphans {
            Some(orphans) => orphans.remove(&store.engine, self.expiry).await?,
            None => 0,
        };
        store.engine.forget_operations().await?;
        Ok(given_up + orphaned)
    }
}

impl Job for ReapUploads {
    const NAME: &'static str = "reap-uploads";
    const SCOPE: Scope = Scope::Leader;

    async fn run(&self, _: &JobContext) -> Result<Report, BoxError> {
        let (mut uploads, mut failed) = (0, None);
        for store in self.node.stores() {
            match self.reap(store).await {
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
