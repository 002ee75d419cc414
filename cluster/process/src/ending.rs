//! The end of a process: one time for all of it, which begins with the signal, and what each step on the way may take of it.

use std::{sync::OnceLock, time::Duration};

use tokio::time::Instant;

/// What a process does at its end, in the order in which it is to be done.
///
/// Each step has until a share of the time is over, whatever the ones before it took: what they leave is its own, and what is meant for those after
/// it is not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The other members take over. Requests of clients finish meanwhile.
    StepAside,
    /// Requests of clients finish.
    Clients,
    /// Calls of other members finish, and those that were made here for the clients.
    Members,
    /// The process takes no part any more in what the members agree on.
    Agreement,
    /// What runs in the background ends.
    Tasks,
    /// The storage closes.
    Storage,
}

impl Step {
    /// How much of the time is over when it is to be done, in hundredths.
    fn until(self) -> u32 {
        match self {
            Self::StepAside => 20,
            Self::Clients => 65,
            Self::Members => 70,
            Self::Agreement => 75,
            Self::Tasks => 80,
            Self::Storage => 100,
        }
    }
}

/// The time that a process may take to end (`http.limits.drainTimeout`).
#[derive(Debug)]
pub struct Ending {
    whole: Duration,
    begun: OnceLock<Instant>,
}

impl Ending {
    /// An end of that length, which has not begun.
    pub(crate) fn within(whole: Duration) -> Self {
        Self { whole, begun: OnceLock::new() }
    }

    /// It begins now, unless it has begun before.
    pub(crate) fn begin(&self) -> Instant {
        *self.begun.get_or_init(Instant::now)
    }

    /// How long a step may still take. A process that ends although nobody sent it a signal begins its end with the first one.
    pub fn left_for(&self, step: Step) -> Duration {
        self.share_of(step).saturating_sub(self.begin().elapsed())
    }

    /// How long a step may take that begins when the end does.
    pub fn share_of(&self, step: Step) -> Duration {
        self.whole / 100 * step.until()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const STEPS: [Step; 6] = [Step::StepAside, Step::Clients, Step::Members, Step::Agreement, Step::Tasks, Step::Storage];
    const WHOLE: Duration = Duration::from_secs(100);

    /// What each step takes that needs as much time, in seconds, if it gets it.
    async fn taken(ending: &Ending, needed: [u64; 6]) -> Vec<u64> {
        let mut taken = Vec::new();
        for (step, needed) in STEPS.into_iter().zip(needed) {
            let takes = ending.left_for(step).min(Duration::from_secs(needed));
            sleep(takes).await;
            taken.push(takes.as_secs());
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn steps_that_never_end_take_no_longer_together_than_the_process_may() {
        let ending = Ending::within(WHOLE);
        assert_eq!(taken(&ending, [1000; 6]).await, [20, 45, 5, 5, 5, 20]);
        assert_eq!(ending.left_for(Step::Storage), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_step_leaves_is_for_those_after_it() {
        assert_eq!(taken(&Ending::within(WHOLE), [1, 1, 1000, 1, 1, 1000]).await, [1, 1, 68, 1, 1, 28]);
        assert_eq!(taken(&Ending::within(WHOLE), [0, 0, 0, 0, 0, 1000]).await, [0, 0, 0, 0, 0, 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_took_what_was_not_its_own_leaves_the_last_ones_theirs() {
        let ending = Ending::within(WHOLE);
        ending.begin();
        sleep(Duration::from_secs(72)).await;
        assert_eq!(taken(&ending, [1000; 6]).await, [0, 0, 0, 3, 5, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_begins_once() {
        let ending = Ending::within(WHOLE);
        sleep(Duration::from_secs(50)).await;
        ending.begin();
        sleep(Duration::from_secs(10)).await;
        ending.begin();
        assert_eq!(ending.left_for(Step::Storage), Duration::from_secs(90));
        assert!(Ending::within(Duration::MAX).left_for(Step::StepAside) > WHOLE, "however long it may take");
    }
}
