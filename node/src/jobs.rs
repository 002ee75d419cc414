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
    let scheduler = Scheduler::new(tasks.clone(), roles);
    scheduler.start(ReapOpenUploads { node: Arc::clone(node), expiry: upload_expiry }, every);
    scheduler.start(ReapUploads { node: Arc::clone(node), expiry: upload_expiry }, every);
}

/// Lets go of uploads in the memory of this node that nobody continued, and keeps those that are being written to here.
struct ReapOpenUploads {
    node: Arc<Node>,
    expiry: Duration,
}

impl Job for ReapOpenUploads {
    const NAME: &'static str = "reap-open-uploads";
    const SCOPE: Scope = Scope::EveryNode;

    async fn run(&self, _: &JobContext) -> Result<Report, BoxError> {
        let mut given_up = Vec::new();
        for store in self.node.stores() {
            given_up.push(store.engine.reap_open_uploads(self.expiry).await);
        }
        report(given_up)
    }
}

/// Gives up saved uploads that nobody continued. Stores that several nodes share are looked at by one of them.
struct ReapUploads {
    node: Arc<Node>,
    expiry: Duration,
}

impl ReapUploads {
    /// Gives up what nobody continued, and what nobody knows of. What is remembered of changes is forgotten on the way, once it is of no use.
    async fn reap(&self, store: &Opened) -> zot_storage::Result<usize> {
        // First, so that nothing that goes wrong below has them pile up.
        store.engine.forget_operations().await?;
        let given_up = store.engine.reap_saved_uploads(self.expiry).await?;
        let orphaned = match &store.orphans {
            Some(orphans) => orphans.remove(&store.engine, self.expiry).await?,
            None => 0,
        };
        Ok(given_up + orphaned)
    }
}

impl Job for ReapUploads {
    const NAME: &'static str = "reap-uploads";
    const SCOPE: Scope = Scope::Leader;

    async fn run(&self, _: &JobContext) -> Result<Report, BoxError> {
        let mut given_up = Vec::new();
        for store in self.node.stores() {
            given_up.push(self.reap(store).await);
        }
        report(given_up)
    }
}

/// What became of the stores, each of which was looked at even if another could not be.
fn report(given_up: Vec<zot_storage::Result<usize>>) -> Result<Report, BoxError> {
    match given_up.into_iter().sum::<zot_storage::Result<usize>>()? {
        0 => Ok(Report::nothing()),
        uploads => Ok(Report::did(format!("gave up {uploads} uploads that nobody continued"))),
    }
}
