//! A body that can be sent to another member, for as long as all of it is at hand.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures::{
    Stream, StreamExt as _,
    stream::{BoxStream, Fuse},
};
use parking_lot::Mutex;
use zot_contract::{BoxError, Chunk, Result};

use super::unavailable;

/// How much of what was given away is kept to be given again: most of what is small goes to the next member when one stops or dies, and a client that
/// sends more is told to go on from what had arrived.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// A chunk that is lent to one member at a time. It stays here, because a connection may let go of what it was lent later than its call ends.
pub(super) struct Replay {
    at: Option<u64>,
    length: Option<u64>,
    body: Arc<Mutex<Body>>,
}

struct Body {
    stream: Fuse<BoxStream<'static, std::result::Result<Bytes, BoxError>>>,
    /// The bytes that were given away, unless they are too many or it broke off.
    given: Option<BytesMut>,
    /// How often it was lent.
    lent: u32,
}

/// The body in the hands of the one to whom it was lent last.
struct Lent {
    body: Arc<Mutex<Body>>,
    turn: u32,
    /// How many bytes it has got.
    got: usize,
}

impl Replay {
    pub(super) fn new(chunk: Chunk) -> Self {
        let body = Body { stream: chunk.stream.fuse(), given: Some(BytesMut::new()), lent: 0 };
        Self { at: chunk.at, length: chunk.length, body: Arc::new(Mutex::new(body)) }
    }

    /// The chunk from its beginning, unless too much of it went to a member that was asked before.
    pub(super) fn lend(&self) -> Result<Chunk> {
        let mut body = self.body.lock();
        if body.given.is_none() {
            return Err(unavailable("a part of the body went to a node that does not answer any more"));
        }
        body.lent += 1;
        let lent = Lent { body: Arc::clone(&self.body), turn: body.lent, got: 0 };
        Ok(Chunk { at: self.at, length: self.length, stream: lent.boxed() })
    }

    /// Whether more than one member was asked to take it.
    pub(super) fn was_lent_again(&self) -> bool {
        self.body.lock().lent > 1
    }
}

impl Stream for Lent {
    type Item = std::result::Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = Arc::clone(&self.body);
        let mut body = body.lock();
        if body.lent != self.turn {
            return Poll::Ready(Some(Err("the body is sent to another node".into())));
        }
        if let Some(again) = body.given.as_ref().and_then(|given| given.get(self.got..)).filter(|again| !again.is_empty()) {
            self.got += again.len();
            return Poll::Ready(Some(Ok(Bytes::copy_from_slice(again))));
        }
        let polled = ready!(body.stream.poll_next_unpin(cx));
        match &polled {
            Some(Ok(piece)) => {
                self.got += piece.len();
                body.keep(piece);
            }
            Some(Err(_)) => body.given = None,
            None => {}
        }
        Poll::Ready(polled)
    }
}

impl Body {
    /// Keeps bytes that are given away, while there is room.
    fn keep(&mut self, piece: &[u8]) {
        match &mut self.given {
            Some(given) if given.len() + piece.len() <= KEPT_BYTES_MAX => given.extend_from_slice(piece),
            given => *given = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use zot_contract::{Error, suite::body};

    use super::*;

    async fn all_of(chunk: Chunk) -> Vec<u8> {
        chunk.stream.map(|piece| piece.unwrap()).collect::<Vec<_>>().await.concat()
    }

    #[tokio::test]
    async fn a_small_body_is_lent_from_its_beginning_and_only_to_one() {
        let pieces = ["abc", "def", "ghi"].map(Bytes::from).to_vec();
        let replay = Replay::new(body::in_pieces(pieces).at(7));
        let mut first = replay.lend().unwrap();
        assert!(!replay.was_lent_again());
        assert_eq!(first.stream.next().await.unwrap().unwrap(), "abc");
        let mut second = replay.lend().unwrap();
        assert!(replay.was_lent_again());
        assert_eq!(second.at, Some(7));
        assert!(first.stream.next().await.unwrap().is_err());
        for piece in ["abc", "def"] {
            assert_eq!(second.stream.next().await.unwrap().unwrap(), piece);
        }
        assert_eq!(all_of(replay.lend().unwrap()).await, b"abcdefghi");
        assert_eq!(all_of(replay.lend().unwrap()).await, b"abcdefghi");
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_lent_until_too_much_of_it_was_given_away() {
        let whole = vec![7; KEPT_BYTES_MAX + 1];
        let replay = Replay::new(Chunk::of(whole.clone()));
        assert_eq!(replay.lend().unwrap().length, Some(whole.len() as u64));
        assert_eq!(all_of(replay.lend().unwrap()).await, whole);
        assert!(matches!(replay.lend(), Err(Error::Unavailable { .. })));

        let replay = Replay::new(body::broken_after("abc".into()));
        let mut lent = replay.lend().unwrap();
        assert_eq!(lent.stream.next().await.unwrap().unwrap(), "abc");
        assert!(lent.stream.next().await.unwrap().is_err());
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
