//! A stream that fails when its next item takes too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;

use super::stall::{StallClock, Stalled};

/// Passes a stream's items on and ends it with [`Stalled`] when it is asked for one and has none for `limit`.
///
/// Time in which nobody asks does not count: a slow reader of this stream is not its writer's fault.
pub struct ProgressTimeout<S> {
    stream: S,
    clock: StallClock,
    ended: bool,
}

impl<S> ProgressTimeout<S> {
    /// Allows `limit` between two items.
    pub const fn new(stream: S, limit: Duration) -> Self {
        Self { stream, clock: StallClock::new(limit), ended: false }
    }
}

impl<S, T, E> Stream for ProgressTimeout<S>
where
    S: Stream<Item = Result<T, E>> + Unpin,
    E: From<Stalled>,
{
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(item) = Pin::new(&mut this.stream).poll_next(cx) {
            this.clock.progressed();
            this.ended = item.is_none();
            return Poll::Ready(item);
        }
        this.clock.poll_stalled(cx).map(|stalled| {
            this.ended = true;
            Some(Err(stalled.into()))
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The upper bound makes room for the error.
        let (lower, upper) = self.stream.size_hint();
        (lower.min(1), upper.and_then(|upper| upper.checked_add(1)))
    }
}
