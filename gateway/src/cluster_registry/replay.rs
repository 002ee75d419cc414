//! A body that can be sent to another member, for as long as nothing of it was given away.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{
    Stream, StreamExt as _,
    stream::{BoxStream, Fuse},
};
use parking_lot::Mutex;
use zot_contract::{BoxError, Chunk, Result};

use super::unavailable;

/// A chunk that is lent to one member at a time. It stays here, because a connection may let go of what it was lent later than its call ends.
pub(super) struct Replay {
    at: Option<u64>,
    length: Option<u64>,
    body: Arc<Mutex<Body>>,
}

struct Body {
    stream: Fuse<BoxStream<'static, std::result::Result<Bytes, BoxError>>>,
    /// Whether bytes were given away, or it broke off: an end alone can be told again.
    begun: bool,
    /// How often it was lent.
    lent: u32,
}

/// The body in the hands of the one to whom it was lent last.
struct Lent {
    body: Arc<Mutex<Body>>,
    turn: u32,
}

impl Replay {
    pub(super) fn new(chunk: Chunk) -> Self {
        let body = Body { stream: chunk.stream.fuse(), begun: false, lent: 0 };
        Self { at: chunk.at, length: chunk.length, body: Arc::new(Mutex::new(body)) }
    }

    /// The chunk, unless a part of it went to a member that was asked before.
    pub(super) fn lend(&self) -> Result<Chunk> {
        let mut body = self.body.lock();
        if body.begun {
            return Err(unavailable("a part of the body went to a node that does not answer any more"));
        }
        body.lent += 1;
        let lent = Lent { body: Arc::clone(&self.body), turn: body.lent };
        Ok(Chunk { at: self.at, length: self.length, stream: lent.boxed() })
    }

    /// Whether more than one member was asked to take it.
    pub(super) fn was_lent_again(&self) -> bool {
        self.body.lock().lent > 1
    }
}

impl Stream for Lent {
    type Item = std::result::Result<Bytes, BoxError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.body.lock();
        if body.lent != self.turn {
            return Poll::Ready(Some(Err("the body is sent to another node".into())));
        }
        let polled = body.stream.poll_next_unpin(cx);
        if let Poll::Ready(Some(_)) = polled {
            body.begun = true;
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use zot_contract::Error;

    use super::*;

    #[tokio::test]
    async fn a_body_that_was_not_begun_is_lent_again_and_only_to_one() {
        let replay = Replay::new(Chunk::of("abc").at(7));
        let mut first = replay.lend().unwrap();
        assert!(!replay.was_lent_again());
        let mut second = replay.lend().unwrap();
        assert!(replay.was_lent_again());
        assert_eq!((second.at, second.length), (Some(7), Some(3)));
        assert!(first.stream.next().await.unwrap().is_err());
        assert_eq!(second.stream.next().await.unwrap().unwrap(), "abc");
        assert!(second.stream.next().await.is_none());
        assert!(matches!(replay.lend(), Err(Error::Unavailable { .. })));
    }

    #[tokio::test]
    async fn an_empty_body_can_be_sent_as_often_as_need_be() {
        let replay = Replay::new(Chunk::empty());
        for _ in 0..3 {
            assert!(replay.lend().unwrap().stream.next().await.is_none());
        }
    }
}
