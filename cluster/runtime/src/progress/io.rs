//! A connection that fails when its peer stops taking what is written to it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stall::StallClock;

/// Fails a write, flush or shutdown that moves nothing for `limit` with `io::ErrorKind::TimedOut`.
///
/// Reads are left alone: a kept-alive connection may be silent, and whoever expects a body times that.
pub struct ProgressIo<T> {
    connection: T,
    clock: StallClock,
}

impl<T> ProgressIo<T> {
    /// Allows writes to stand still for `limit`.
    pub const fn new(connection: T, limit: Duration) -> Self {
        Self { connection, clock: StallClock::new(limit) }
    }

    /// Returns the connection.
    pub const fn get_ref(&self) -> &T {
        &self.connection
    }

    fn timed<R>(&mut self, cx: &mut Context<'_>, progress: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if progress.is_ready() {
            self.clock.progressed();
            return progress;
        }
        self.clock.poll_stalled(cx).map(|stalled| Err(stalled.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ProgressIo<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ProgressIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.connection).poll_write(cx, bytes);
        self.timed(cx, progress)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.connection).poll_write_vectored(cx, slices);
        self.timed(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.connection).poll_flush(cx);
        self.timed(cx, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.connection).poll_shutdown(cx);
        self.timed(cx, progress)
    }
}
