//! A stream of bytes that fails when they come too slowly.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::time::Instant;

/// Fewer bytes came than were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes in {} s, at least {bytes_min} are expected", waited.as_secs_f64())]
pub struct TooSlow {
    /// How many came.
    pub bytes: u64,
    /// How many had to come.
    pub bytes_min: u64,
    /// How long they were waited for.
    pub waited: Duration,
}

/// Passes a stream's bytes on and ends it with [`TooSlow`] if fewer than `bytes_min` came while they were waited for during `window`. Each window
/// is judged when it is over, so that it does not matter how the bytes are spread over it.
///
/// Time in which nobody asks does not count, and no wait counts for more than half of the window: it may be this process that stood still. Silence is not noticed before the next bytes come: see [`super::ProgressTimeout`].
pub struct MinimumPace<S> {
    stream: S,
    bytes_min: u64,
    window: Duration,
    /// The bytes of this window, and for how long they were waited for.
    bytes: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
    ended: bool,
}

impl<S> MinimumPace<S> {
    /// Asks for `bytes_min` in each `window`.
    pub const fn new(stream: S, bytes_min: u64, window: Duration) -> Self {
        Self { stream, bytes_min, window, bytes: 0, waited: Duration::ZERO, waiting_since: None, ended: false }
    }

    fn judge(&mut self, bytes: usize) -> Result<(), TooSlow> {
        self.bytes += bytes as u64;
        if self.waited < self.window {
            return Ok(());
        }
        let (bytes, waited) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.waited));
        if bytes < self.bytes_min { Err(TooSlow { bytes, bytes_min: self.bytes_min, waited }) } else { Ok(()) }
    }
}

impl<S, T, E> Stream for MinimumPace<S>
where
    S: Stream<Item = Result<T, E>> + Unpin,
    T: AsRef<[u8]>,
    E: From<TooSlow>,
{
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(item) = Pin::new(&mut this.stream).poll_next(cx) else {
            this.waiting_since.get_or_insert_with(Instant::now);
            return Poll::Pending;
        };
        let waited = this.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        this.waited += waited.min(this.window / 2);
        let Some(Ok(bytes)) = item else {
            this.ended = item.is_none();
            return Poll::Ready(item);
        };
        Poll::Ready(Some(match this.judge(bytes.as_ref().len()) {
            Ok(()) => Ok(bytes),
            Err(slow) => {
                this.ended = true;
                Err(slow.into())
            }
        }))
    }
}
