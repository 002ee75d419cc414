//! A connection that notes when bytes arrive, and that gives back the first ones, which were read to tell the protocol.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// How HTTP/2 begins, as far as it takes to tell it from any method of HTTP/1 (RFC 9113 section 3.4).
const PREFACE: &[u8; 3] = b"PRI";

/// A watched connection.
pub(super) struct WatchedIo<S> {
    stream: S,
    activity: Arc<Activity>,
    first: [u8; PREFACE.len()],
    /// How many of the first bytes have been given back.
    given: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WatchedIo<S> {
    /// Waits for the first bytes.
    pub(super) async fn begin(mut stream: S, activity: Arc<Activity>) -> io::Result<Self> {
        let mut first = [0; PREFACE.len()];
        stream.read_exact(&mut first).await?;
        activity.received();
        Ok(Self { stream, activity, first, given: 0 })
    }

    /// Whether the client speaks HTTP/2.
    pub(super) fn speaks_http2(&self) -> bool {
        self.first == *PREFACE
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(rest) = self.first.get(self.given..).filter(|rest| !rest.is_empty()) {
            let some = &rest[..rest.len().min(buffer.remaining())];
            buffer.put_slice(some);
            self.given += some.len();
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
