//! A response body of a length that is known beforehand: it has exactly that many bytes, or the connection breaks.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use zot_contract::{BlobStream, Error};

/// Streams a blob, or a part of one.
pub(crate) struct ExactBody {
    stream: BlobStream,
    remaining: u64,
}

impl ExactBody {
    /// A body of `length` bytes that come from `stream`.
    pub(crate) fn of(stream: BlobStream, length: u64) -> Body {
        Body::new(Self { stream, remaining: length })
    }

    fn pass(&mut self, bytes: Bytes) -> Result<Frame<Bytes>, Error> {
        match self.remaining.checked_sub(bytes.len() as u64) {
            Some(remaining) => {
                self.remaining = remaining;
                Ok(Frame::data(bytes))
            }
            None => Err(Error::internal(format!("blob is {} bytes longer than its size says", bytes.len() as u64 - self.remaining))),
        }
    }

    /// A short body must not look like a whole one, so its end is an error: the server then cuts the connection.
    fn end(&self) -> Option<Result<Frame<Bytes>, Error>> {
        let missing = self.remaining;
        (missing > 0).then(|| Err(Error::internal(format!("blob ended {missing} bytes before the size that it has"))))
    }
}

impl http_body::Body for ExactBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(match ready!(self.stream.as_mut().poll_next(cx)) {
            Some(Ok(bytes)) => Some(self.pass(bytes)),
            Some(Err(error)) => Some(Err(error)),
            None => self.end(),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};
    use http_body_util::BodyExt as _;

    use super::*;

    async fn collected(pieces: &[&'static str], length: u64) -> Result<Bytes, axum::Error> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        let body = ExactBody::of(stream::iter(pieces).boxed(), length);
        body.collect().await.map(|body| body.to_bytes())
    }

    #[tokio::test]
    async fn a_whole_blob_passes() {
        assert_eq!(collected(&["ab", "c"], 3).await.unwrap(), "abc");
        assert_eq!(collected(&[], 0).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_blob_of_another_length_breaks() {
        assert!(collected(&["ab"], 3).await.is_err());
        assert!(collected(&["abcd"], 3).await.is_err());
        assert!(collected(&[], 1).await.is_err());
    }
}
