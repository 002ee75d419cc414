//! Work of which only so much is done at a time: who comes takes a turn, waits for one, or is told that too many wait.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much is done at a time, and how much may wait.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Places of those who have a turn or wait for one.
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// Somebody's turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _running: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

/// Too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords wait to be checked")]
pub(crate) struct Busy;

impl Turns {
    /// Turns for `running` at a time, for which `waiting` more may wait.
    pub(crate) fn new(running: usize, waiting: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(running + waiting)), running: Arc::new(Semaphore::new(running)) }
    }

    /// Waits for a turn. Whoever stops waiting gives up the place.
    pub(crate) async fn take(&self) -> Result<Turn, Busy> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Busy)?;
        Ok(Turn { _running: running, _place: place })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn more_than_may_wait_are_told_so() {
        let turns = Turns::new(1, 1);
        let first = turns.take().await.unwrap();
        let mut second = Box::pin(turns.take());
        assert!(second.as_mut().now_or_never().is_none(), "it waits");
        assert_eq!(turns.take().await.unwrap_err(), Busy);
        drop(first);
        let second = second.await.unwrap();
        assert!(turns.take().now_or_never().is_none(), "one more may wait again");
        drop(second);
        turns.take().await.unwrap();
    }

    #[tokio::test]
    async fn who_stops_waiting_gives_up_the_place() {
        let turns = Turns::new(1, 1);
        let first = turns.take().await.unwrap();
        for _ in 0..3 {
            assert!(turns.take().now_or_never().is_none());
        }
        drop(first);
        turns.take().await.unwrap();
    }
}
