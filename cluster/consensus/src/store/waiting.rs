//! The one difference between a node's disk and that of a node of a simulation.

use super::Result;

/// Where a node waits for its disk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Waiting {
    /// Off the asynchronous threads.
    Apart,
    /// On the spot, in a simulation: no seed says when another thread is done.
    OnTheSpot,
}

impl Waiting {
    /// By the seed that a node is given in a simulation.
    pub(crate) fn of(seed: Option<u64>) -> Self {
        if seed.is_some() { Self::OnTheSpot } else { Self::Apart }
    }

    /// Does what waits for the disk.
    pub(crate) async fn for_disk<T: Send + 'static>(self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        match self {
            Self::Apart => tokio::task::spawn_blocking(work).await?,
            Self::OnTheSpot => {
                // Others go on meanwhile, as they do beside a disk.
                tokio::task::yield_now().await;
                work()
            }
        }
    }
}
