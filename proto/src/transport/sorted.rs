//! Tells lanes from HTTP/2 by how they begin, for both come to one port.

use std::{
    future, io,
    io::IoSlice,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use futures::{Stream, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    sync::mpsc,
    time::timeout,
};

use super::connection::Connection;
use crate::lanes::MAGIC;

/// How HTTP/2 begins (RFC 9113 section 3.4), as far as it takes to tell it.
const PREFACE: &[u8; MAGIC.len()] = b"PRI * HT";
/// How long the first bytes may take. Whoever connects has something to say.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
/// The most connections at a time that have not said yet what they are.
const UNSORTED_MAX: usize = 1024;

/// Those of the connections that speak HTTP/2. Lanes are handed to `lanes`, if there is room, and everything else is closed.
pub(crate) fn sorted(
    incoming: impl Stream<Item = io::Result<Connection>> + Send,
    lanes: mpsc::Sender<Connection>,
) -> impl Stream<Item = io::Result<Connection>> + Send {
    let begun = incoming.map(begun).buffer_unordered(UNSORTED_MAX);
    begun.filter_map(move |begun| {
        future::ready(match begun {
            Ok(Some(Begun::Http2(connection))) => Some(Ok(connection)),
            Ok(Some(Begun::Lane(connection))) => {
                // Whoever finds no room goes by gRPC.
                drop(lanes.try_send(connection));
                None
            }
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        })
    })
}

/// A connection that said what it is.
enum Begun {
    Http2(Connection),
    Lane(Connection),
}

/// What `incoming` is, once its first bytes came; nothing if they do not, or say something else.
async fn begun(incoming: io::Result<Connection>) -> io::Result<Option<Begun>> {
    let mut connection = incoming?;
    let mut first = [0; MAGIC.len()];
    if !matches!(timeout(BEGIN_WITHIN, connection.read_exact(&mut first)).await, Ok(Ok(_))) {
        return Ok(None);
    }
    Ok(match &first {
        MAGIC => Some(Begun::Lane(connection)),
        PREFACE => Some(Begun::Http2(Connection::new(Rewound { first: Bytes::from_static(PREFACE), connection }))),
        _ => {
            tracing::debug!("closed a connection to the internal plane that is neither HTTP/2 nor a lane");
            None
        }
    })
}

/// A connection that gives back its first bytes, which were read to tell what it is.
struct Rewound {
    first: Bytes,
    connection: Connection,
}

impl AsyncRead for Rewound {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.has_remaining() {
            let some = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first.split_to(some));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.connection).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
}
