//! Bytes on their way to S3, in memory of their own. What came from a network is a slice of a buffer that was made for the largest read, and
//! would keep all of it: several times the bytes that count. So pieces are copied, for a tenth of what hashing them costs.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

/// Pieces from this size on, in bytes, are kept as they are: no buffer of a connection is as large, so that they were whole from the start.
const PIECE_BYTES_KEPT: usize = 1 << 20;

/// The memory that is taken first for pieces that are copied together, in bytes. It doubles from block to block.
const BLOCK_BYTES_MIN: usize = 32 << 10;

/// The most memory that is taken at a time, in bytes: as much as the budget is asked for at a time.
pub(crate) const BLOCK_BYTES_MAX: usize = 256 << 10;

/// Bytes that are being gathered.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    pieces: Vec<Bytes>,
    /// The end of it, while there is room for more.
    gathered: BytesMut,
    length: u64,
}

impl Buffer {
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        self.length += piece.len() as u64;
        if piece.len() >= PIECE_BYTES_KEPT {
            self.settle();
            self.pieces.push(piece);
            return;
        }
        let mut left = &piece[..];
        while !left.is_empty() {
            if self.gathered.capacity() == self.gathered.len() {
                self.take_block();
            }
            let room = self.gathered.capacity() - self.gathered.len();
            let (now, later) = left.split_at(left.len().min(room));
            self.gathered.extend_from_slice(now);
            left = later;
        }
    }

    fn take_block(&mut self) {
        self.settle();
        let held: usize = self.pieces.iter().map(Bytes::len).sum();
        self.gathered = BytesMut::with_capacity(held.clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX));
    }

    /// Makes what was copied together a piece. What is left of its memory is filled next.
    fn settle(&mut self) {
        if !self.gathered.is_empty() {
            self.pieces.push(self.gathered.split().freeze());
        }
    }

    /// The bytes from `start` on, not copied.
    pub(crate) fn from(&mut self, start: u64) -> Body {
        self.settle();
        let mut skip = start;
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let skipped = skip.min(piece.len() as u64);
            skip -= skipped;
            pieces.push(piece.slice(skipped as usize..));
        }
        pieces.retain(|piece| !piece.is_empty());
        Body::new(pieces)
    }

    /// Drops everything after the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: u64) {
        self.settle();
        self.length = self.length.min(length);
        let mut left = self.length;
        for piece in &mut self.pieces {
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= piece.len() as u64;
        }
        self.pieces.retain(|piece| !piece.is_empty());
    }
}

/// Bytes that can be sent, and sent again.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pieces: Arc<[Bytes]>,
    length: u64,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::new(vec![bytes])
    }
}

impl Body {
    fn new(pieces: Vec<Bytes>) -> Self {
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces: pieces.into(), length }
    }

    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = Bytes> {
        self.pieces.iter().cloned()
    }

    pub(crate) fn into_sdk(self) -> SdkBody {
        SdkBody::retryable(move || SdkBody::from_body_1_x(Sending { left: self.pieces().collect(), length: self.length }))
    }
}

/// A body that is being sent.
struct Sending {
    left: VecDeque<Bytes>,
    length: u64,
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.left.pop_front();
        self.length -= next.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(body: &Body) -> Vec<u8> {
        body.pieces().collect::<Vec<_>>().concat()
    }

    #[test]
    fn bytes_come_out_as_they_went_in_however_they_were_cut() {
        let content: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
        for size in [7, 1000, 65_536, PIECE_BYTES_KEPT - 1, PIECE_BYTES_KEPT] {
            let mut buffer = Buffer::default();
            content.chunks(size).for_each(|piece| buffer.push(Bytes::copy_from_slice(piece)));
            assert_eq!(buffer.len(), 3_000_000);
            assert!(bytes(&buffer.from(0)) == content, "{size}");
            assert!(bytes(&buffer.from(123_456)) == content[123_456..], "{size}");
            buffer.push(Bytes::from_static(b"end"));
            assert_eq!(bytes(&buffer.from(3_000_000)), b"end");
            buffer.truncate(77_777);
            buffer.push(Bytes::from_static(b"end"));
            assert_eq!((buffer.len(), buffer.from(77_777).len()), (77_780, 3));
            assert!(bytes(&buffer.from(0))[..77_777] == content[..77_777], "{size}");
        }
    }

    #[test]
    fn large_pieces_are_not_copied_and_tiny_ones_take_little() {
        let (large, mut buffer) = (Bytes::from(vec![7; PIECE_BYTES_KEPT]), Buffer::default());
        buffer.push(large.clone());
        assert_eq!(buffer.from(0).pieces().next().unwrap().as_ptr(), large.as_ptr());
        (0..100_000).for_each(|_| buffer.push(Bytes::from_static(b"x")));
        assert_eq!(buffer.from(0).pieces().count(), 2);
    }

    #[test]
    fn a_piece_does_not_keep_the_buffer_it_came_in() {
        let (received, mut buffer) = (Bytes::from(vec![7; 256 << 10]), Buffer::default());
        buffer.push(received.slice(..200_000));
        assert!(received.is_unique());
        assert_eq!(buffer.len(), 200_000);
    }
}
