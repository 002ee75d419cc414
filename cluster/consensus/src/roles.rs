//! Jobs of which the cluster runs one at a time, as the scheduler wants them.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::{sleep, timeout_at};
use zot_runtime::schedule::{BoxError, Roles, Turn};

use crate::{Consensus, Lease};

/// How long a lease lasts without being renewed: how long a job may rest when its node is gone.
const LENGTH: Duration = Duration::from_secs(10);

/// How often within its length a lease is renewed: one renewal may fail without harm.
const RENEWALS_PER_LENGTH: u32 = 3;

/// The roles of a node of a cluster: jobs by leases, repositories by what the caller says.
pub struct ClusterRoles {
    consensus: Consensus,
    owns: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

/// A lease that is kept.
#[derive(Debug)]
struct Kept {
    consensus: Consensus,
    lease: Mutex<Lease>,
}

impl ClusterRoles {
    /// Roles by agreement. Whether a repository is this node's, at the moment it is asked, `owns` says.
    pub fn new(consensus: Consensus, owns: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { consensus, owns: Box::new(owns) }
    }
}

#[async_trait]
impl Roles for ClusterRoles {
    async fn take(&self, job: &str) -> Result<Option<Box<dyn Turn>>, BoxError> {
        let lease = self.consensus.lease(job, LENGTH).await?;
        let kept = |lease| Box::new(Kept { consensus: self.consensus.clone(), lease: Mutex::new(lease) }) as Box<dyn Turn>;
        Ok(lease.map(kept))
    }

    fn owns(&self, repository: &str) -> bool {
        (self.owns)(repository)
    }
}

impl Kept {
    fn lease(&self) -> Lease {
        self.lease.lock().clone()
    }
}

#[async_trait]
impl Turn for Kept {
    fn epoch(&self) -> u64 {
        self.lease.lock().epoch
    }

    async fn keep(&self) {
        loop {
            sleep(LENGTH / RENEWALS_PER_LENGTH).await;
            let lease = self.lease();
            match timeout_at(lease.until, self.consensus.renew(&lease)).await {
                Ok(Ok(Some(renewed))) if renewed.is_valid() => *self.lease.lock() = renewed,
                Ok(Err(error)) if lease.is_valid() => tracing::debug!(job = lease.job, %error, "could not renew a lease yet"),
                _ => return,
            }
        }
    }

    async fn record(&self, result: &str) {
        let lease = self.lease();
        if let Err(error) = self.consensus.record_run(&lease.job, lease.epoch, result).await {
            tracing::debug!(job = lease.job, %error, "could not note the run of a job");
        }
    }

    async fn release(&self) {
        let lease = self.lease();
        let job = lease.job.clone();
        if let Err(error) = self.consensus.release(lease).await {
            tracing::debug!(job, %error, "could not give a lease back");
        }
    }
}

impl fmt::Debug for ClusterRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterRoles").field("consensus", &self.consensus).finish_non_exhaustive()
    }
}
