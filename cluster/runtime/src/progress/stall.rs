//! The clock behind both adaptors: runs only while something is waited for.
//!
//! A process that stood still, with its machine or for want of a processor, finds every limit exceeded when it goes on, before it has looked at what
//! came meanwhile. So a limit is measured in slices, and a slice counts as one however long it took.

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

/// The slices of a limit.
const SLICES: u32 = 4;

/// Measures how long one thing has been waited for.
pub(super) struct StallClock {
    limit: Duration,
    waiting: Option<Waiting>,
    /// Made at the first wait and set anew only when it fires, so that progress costs no timer at all.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What is left of a limit.
#[derive(Clone, Copy)]
struct Waiting {
    slice_ends: Instant,
    slices_left: u32,
}

impl StallClock {
    pub(super) const fn new(limit: Duration) -> Self {
        Self { limit, waiting: None, timer: None }
    }

    /// Something moved, or nothing is waited for.
    pub(super) fn progressed(&mut self) {
        self.waiting = None;
    }

    /// Something is waited for: ready once that has lasted too long.
    pub(super) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<Stalled> {
        let (now, slice) = (Instant::now(), self.limit / SLICES);
        let waiting = self.waiting.get_or_insert(Waiting { slice_ends: now + slice, slices_left: SLICES });
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(waiting.slice_ends)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if now >= waiting.slice_ends {
                waiting.slices_left -= 1;
                if waiting.slices_left == 0 {
                    return Poll::Ready(Stalled { limit: self.limit });
                }
                waiting.slice_ends = now + slice;
            }
            timer.as_mut().reset(waiting.slice_ends);
        }
    }
}
