//! The body of a request as the engine reads it: it ends in an error, never early, when the request goes away or sends less than it announced.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes};
use futures::{Stream, stream::BoxStream};
use tokio::sync::oneshot;
use zot_contract::{BoxError, Chunk, Operation};

/// A body whose request may be dropped while another task reads it.
pub(super) struct Body {
    /// The change that it is a part of, if that has a name.
    pub(super) operation: Option<Operation>,
    /// Where its sender says that it begins.
    pub(super) at: Option<u64>,
    stream: BoxStream<'static, Result<Bytes, BoxError>>,
    /// Resolves when the request is dropped.
    dropped: oneshot::Receiver<()>,
    announced: Option<u64>,
    received: u64,
    /// How many of the next bytes nobody needs.
    unneeded: u64,
}

/// Held by the request; dropping it breaks off the body.
pub(super) struct Wanted(#[expect(dead_code, reason = "it is there to be dropped")] oneshot::Sender<()>);

impl Body {
    pub(super) fn of(operation: Option<Operation>, chunk: Chunk) -> (Self, Wanted) {
        let (wanted, dropped) = oneshot::channel();
        let Chunk { at, length: announced, stream } = chunk;
        (Self { operation, at, stream, dropped, announced, received: 0, unneeded: 0 }, Wanted(wanted))
    }

    /// The same without the first bytes, which are there already.
    pub(super) fn after(self, bytes: u64) -> Self {
        Self { unneeded: bytes, ..self }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if Pin::new(&mut self.dropped).poll(cx).is_ready() {
            return Poll::Ready(Some(Err("the request went away".into())));
        }
        let item = std::task::ready!(self.stream.as_mut().poll_next(cx));
        Poll::Ready(match item {
            Some(Ok(mut piece)) => {
                self.received += piece.len() as u64;
                let there = self.unneeded.min(piece.len() as u64);
                self.unneeded -= there;
                piece.advance(there as usize);
                Some(Ok(piece))
            }
            None if self.announced.is_some_and(|announced| self.received < announced) => Some(Err("it ended before its length".into())),
            other => other,
        })
    }
}
