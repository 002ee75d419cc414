//! Tests of real time, on machines that stand still now and then: a failure that a standstill explains is not the product's.

use std::{
    any::Any,
    future::poll_fn,
    io::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often a test is tried. Standstills of all of so many attempts are none: the machine is too slow for the test.
const ATTEMPTS_MAX: usize = 6;
/// How long the meter sleeps at a time.
const SLEEP: Duration = Duration::from_millis(50);

/// Measures how long nothing runs here: a thread that sleeps, and notes by how much it overslept.
struct Meter {
    stop: Arc<AtomicBool>,
    sleeper: JoinHandle<Duration>,
}

impl Meter {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // What comes before its first sleep counts too, and it sleeps once at least.
        let mut begun = Instant::now();
        let sleeper = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            loop {
                thread::sleep(SLEEP);
                longest = longest.max(begun.elapsed().saturating_sub(SLEEP));
                if stopped.load(Ordering::Relaxed) {
                    return longest;
                }
                begun = Instant::now();
            }
        });
        Self { stop, sleeper }
    }

    /// The longest standstill since it was started, also one that has only just ended.
    fn longest(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.sleeper.join().expect("the meter ends")
    }
}

/// Runs a test that fails if it stands still for long. If it fails, and stood still for longer than `limit` meanwhile, it is run again, a bounded
/// number of times, and says so. A failure that no standstill explains fails the test at once.
pub async fn unless_stalled(limit: Duration, test: impl AsyncFnMut()) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    // Not a printing macro: the test harness would swallow the line of a test that passes.
    let say = |stalled| drop(writeln!(io::stderr().lock(), "AGAIN {name}: it failed, and stood still for {stalled:?} meanwhile"));
    repeat(limit, test, say).await;
}

async fn repeat(limit: Duration, mut test: impl AsyncFnMut(), say: impl Fn(Duration)) {
    for attempt in 1.. {
        let meter = Meter::start();
        let failure = failure(&mut test).await;
        let stalled = meter.longest();
        let Some(failure) = failure else { return };
        if stalled <= limit || attempt == ATTEMPTS_MAX {
            resume_unwind(failure);
        }
        say(stalled);
    }
}

/// What a test panicked with.
async fn failure(test: &mut impl AsyncFnMut()) -> Option<Box<dyn Any + Send>> {
    let mut running = pin!(test());
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(None),
        Err(failure) => Poll::Ready(Some(failure)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How often a test that passes at its `passing`th attempt is tried, and whether it passes, if every standstill longer than `limit` counts.
    async fn attempts(limit: Duration, passing: usize) -> (usize, bool) {
        let (attempts, told) = (Cell::new(0), Cell::new(0));
        let test = async || {
            attempts.set(attempts.get() + 1);
            tokio::task::yield_now().await;
            assert_eq!(attempts.get(), passing);
        };
        let failed = failure(&mut async || repeat(limit, test, |_| told.set(told.get() + 1)).await).await;
        assert_eq!(told.get() + 1, attempts.get(), "every repetition is told of");
        (attempts.get(), failed.is_none())
    }

    #[tokio::test]
    async fn a_failure_counts_unless_a_standstill_explains_it() {
        assert_eq!(attempts(Duration::MAX, 1).await, (1, true));
        assert_eq!(attempts(Duration::MAX, 2).await, (1, false), "nothing stood still");
        // Nobody wakes on time to the nanosecond.
        assert_eq!(attempts(Duration::ZERO, 2).await, (2, true));
        assert_eq!(attempts(Duration::ZERO, usize::MAX).await, (ATTEMPTS_MAX, false), "not for ever");
    }
}
