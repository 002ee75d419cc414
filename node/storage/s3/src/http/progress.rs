//! Time without progress: what a request is given up for, however long it takes altogether.

use std::{pin::pin, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Nothing was sent or received for too long.
#[derive(Debug, thiserror::Error)]
#[error("no progress for {0:?}")]
pub(super) struct Stalled(pub(super) Duration);

/// When a request last made progress; a clone is another handle on the same.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    last: Arc<Mutex<Instant>>,
    stall: Duration,
}

impl Progress {
    pub(super) fn new(stall: Duration) -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())), stall }
    }

    /// Notes progress.
    pub(super) fn made(&self) {
        *self.last.lock() = Instant::now();
    }

    fn deadline(&self) -> Instant {
        *self.last.lock() + self.stall
    }

    /// Does work for as long as progress is made.
    pub(super) async fn watch<T>(&self, work: impl Future<Output = T>) -> Result<T, Stalled> {
        let mut work = pin!(work);
        loop {
            match tokio::time::timeout_at(self.deadline(), &mut work).await {
                Ok(done) => return Ok(done),
                Err(_) if self.deadline() > Instant::now() => {}
                Err(_) => return Err(Stalled(self.stall)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_makes_progress_may_take_any_time() {
        let progress = Progress::new(Duration::from_millis(40));
        let work = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                progress.made();
            }
        };
        assert!(progress.watch(work).await.is_ok());
        assert!(progress.watch(std::future::pending::<()>()).await.is_err());
    }
}
