//! Holding back the refusal of wrong credentials, so that guessing passwords takes its time.

use std::time::Duration;

use tokio::sync::Semaphore;

use super::Health;

/// How many refusals are held back at a time. Each keeps a connection: whoever comes when there are so many is refused at once, or guessing would
/// be a way to keep everybody else out.
const HELD_MAX: usize = 1000;

/// Those who wait for their refusal.
#[derive(Debug)]
pub(super) struct FailDelay(Semaphore);

impl FailDelay {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(HELD_MAX))
    }

    /// Waits for `delay`, or until the process drains.
    pub(super) async fn hold(&self, delay: Duration, health: &Health) {
        let Ok(_held) = self.0.try_acquire() else { return };
        if !delay.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = health.draining() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::time::Instant;

    use super::*;
    use crate::http::Stage;

    const DELAY: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_refusal_waits_its_time() {
        let begun = Instant::now();
        FailDelay::new().hold(DELAY, &Health::new()).await;
        assert_eq!(begun.elapsed(), DELAY);
        FailDelay::new().hold(Duration::ZERO, &Health::new()).await;
        assert_eq!(begun.elapsed(), DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_process_that_drains() {
        let (delay, health) = (FailDelay::new(), Health::new());
        let begun = Instant::now();
        tokio::join!(delay.hold(DELAY, &health), async { health.clone().enter(Stage::Draining) });
        delay.hold(DELAY, &health).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_so_many_refusals_are_told_at_once() {
        let (delay, health) = (FailDelay(Semaphore::new(1)), Health::new());
        let mut held = Box::pin(delay.hold(DELAY, &health));
        assert!(held.as_mut().now_or_never().is_none());
        assert!(delay.hold(DELAY, &health).now_or_never().is_some());
        held.await;
        assert!(delay.hold(DELAY, &health).now_or_never().is_none(), "there is room again");
    }
}
