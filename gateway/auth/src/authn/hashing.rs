//! Hashing passwords costs a processor for a tenth of a second and more: how much of it is done at a time.

use std::{num::NonZeroUsize, thread::available_parallelism};

use super::turns::{Busy, Turns};

/// How many hashes may wait for their turn. Those who wait longest wait some seconds then; whoever comes after them is told to come again.
const WAITING_MAX: usize = 64;

/// Runs what hashes, a bounded number at a time, on threads for what blocks.
#[derive(Debug)]
pub(crate) struct Hashing(Turns);

/// Why nothing was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HashingError {
    /// Too much waits already.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// It panicked, or the process ends.
    #[error("checking the password broke off")]
    BrokeOff,
}

impl Hashing {
    /// Half of the machine's processors hash at most, so that those who are let in already are served meanwhile.
    pub(crate) fn new() -> Self {
        Self(Turns::new(available_parallelism().map_or(1, NonZeroUsize::get).div_ceil(2), WAITING_MAX))
    }

    /// Runs `work` when it is its turn. What has begun runs to its end, whether or not somebody still waits for it.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashingError> {
        let turn = self.0.take().await?;
        let hashed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        hashed.await.map_err(|_| HashingError::BrokeOff)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_keeps_its_turn_when_nobody_waits_for_it() {
        let hashing = Hashing(Turns::new(1, 0));
        let (go, waits) = mpsc::channel::<()>();
        let abandoned = hashing.run(move || waits.recv().unwrap());
        assert!(tokio::time::timeout(std::time::Duration::ZERO, abandoned).await.is_err());
        assert_eq!(hashing.run(|| ()).await, Err(HashingError::Busy(Busy)));
        go.send(()).unwrap();
        while hashing.run(|| ()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_takes_no_turn_with_it() {
        let hashing = Hashing(Turns::new(1, 0));
        assert_eq!(hashing.run(|| panic!("on purpose")).await, Err::<(), _>(HashingError::BrokeOff));
        assert_eq!(hashing.run(|| 7).await, Ok(7));
    }
}
