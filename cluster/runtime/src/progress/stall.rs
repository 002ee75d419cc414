//! The clock behind both adaptors: runs only while something is waited for.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Nothing moved for as long as was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no progress for {} s", limit.as_secs_f64())]
pub struct Stalled {
    /// How long was allowed.
    pub limit: Duration,
}

impl From<Stalled> for io::Error {
    fn from(stalled: Stalled) -> Self {
        Self::new(io::ErrorKind::TimedOut, stalled)
    }
}

/// Measures how long one thing has been waited for.
pub(super) struct StallClock {
    limit: Duration,
    waiting_since: Option<Instant>,
    /// Made at the first wait and set anew only when it fires, so that progress costs no timer at all.
    timer: Option<Pin<Box<Sleep>>>,
}

impl StallClock {
    pub(super) const fn new(limit: Duration) -> Self {
        Self { limit, waiting_since: None, timer: None }
    }

    /// Something moved, or nothing is waited for.
    pub(super) fn progressed(&mut self) {
        self.waiting_since = None;
    }

    /// Something is waited for: ready once that has lasted too long.
    pub(super) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<Stalled> {
        let now = Instant::now();
        let deadline = *self.waiting_since.get_or_insert(now) + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if now >= deadline {
                return Poll::Ready(Stalled { limit: self.limit });
            }
            timer.as_mut().reset(deadline);
        }
    }
}
