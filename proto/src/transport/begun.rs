//! A connection of which some bytes went before whoever speaks HTTP/2 on it got it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::connection::Connection;

/// How HTTP/2 begins (RFC 9113 section 3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that gives back what was read of it, and does not send again what was sent.
pub(super) struct Begun {
    pub(super) read: Bytes,
    /// How many of the next bytes are out already.
    pub(super) sent: usize,
    pub(super) connection: Connection,
}

/// Begins HTTP/2 on a new connection, and waits until the other end does: it has taken it up then, and answers what it is asked even while it
/// stops. A connection that the system made for a process that never got to it breaks here, where nothing is lost by it.
pub(super) async fn taken_up(mut connection: Connection) -> io::Result<Connection> {
    connection.write_all(PREFACE).await?;
    connection.flush().await?;
    let mut read = BytesMut::with_capacity(1024);
    if connection.read_buf(&mut read).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Connection::new(Begun { read: read.freeze(), sent: PREFACE.len(), connection }))
}

impl AsyncRead for Begun {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read.has_remaining() {
            let some = self.read.len().min(buffer.remaining());
            buffer.put_slice(&self.read.split_to(some));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.connection).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Begun {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.sent > 0 {
            let some = self.sent.min(bytes.len());
            self.sent -= some;
            return Poll::Ready(Ok(some));
        }
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.sent > 0 {
            let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
            return self.poll_write(cx, first);
        }
        Pin::new(&mut self.connection).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
}
