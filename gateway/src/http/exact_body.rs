//! A response body of a length that is known beforehand: it has exactly that many bytes, or the connection breaks.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use zot_contract::{BlobStream, Error, Held, Piece};

use crate::outlet::Outlet;

/// Streams a blob, or a part of one.
pub(crate) struct ExactBody {
    stream: BlobStream,
    remaining: u64,
    outlet: Option<Outlet>,
    /// What the system holds and must be taken into memory, because there is no outlet.
    held: Option<Held>,
}

impl ExactBody {
    /// A body of `length` bytes that come from `stream`. What the system holds of them goes by `outlet`, if there is one.
    pub(crate) fn of(stream: BlobStream, length: u64, outlet: Option<Outlet>) -> Body {
        Body::new(Self { stream, remaining: length, outlet, held: None })
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if let Some(mut held) = self.held.take() {
                let bytes = held.take().map_err(Error::internal)?;
                self.held = Some(held).filter(|held| held.length() > 0);
                return Poll::Ready(Some(Ok(bytes)));
            }
            let piece = match ready!(self.stream.as_mut().poll_next(cx)).transpose()? {
                Some(piece) => piece,
                None => return Poll::Ready(None),
            };
            self.count(piece.length())?;
            match piece {
                Piece::Bytes(bytes) => return Poll::Ready(Some(Ok(bytes))),
                Piece::Held(held) => {
                    let put = match &self.outlet {
                        Some(outlet) => outlet.put(held),
                        None => Err(held),
                    };
                    match put {
                        Ok(stand_ins) => return Poll::Ready(Some(Ok(stand_ins))),
                        Err(held) => self.held = Some(held),
                    }
                }
            }
        }
    }

    /// Bytes that have not been handed out.
    fn left(&self) -> u64 {
        self.remaining + self.held.as_ref().map_or(0, Held::length)
    }

    fn count(&mut self, length: u64) -> Result<(), Error> {
        let too_many = || Error::internal(format!("blob is {} bytes longer than its size says", length - self.remaining));
        self.remaining = self.remaining.checked_sub(length).ok_or_else(too_many)?;
        Ok(())
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
        Poll::Ready(match ready!(self.poll_bytes(cx)) {
            Some(bytes) => Some(bytes.map(Frame::data)),
            None => self.end(),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};
    use http_body_util::BodyExt as _;

    use super::*;

    async fn collected(pieces: &[&'static str], length: u64) -> Result<Bytes, axum::Error> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()).into())).collect();
        let body = ExactBody::of(stream::iter(pieces).boxed(), length, None);
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
