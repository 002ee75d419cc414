//! A connection, whatever protects it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tonic::transport::server::Connected;

/// What bytes go over.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, plain or secured.
pub struct Connection(Way);

enum Way {
    /// Bytes go over the socket as they are.
    Plain(TcpStream),
    Other(Box<dyn Io>),
}

impl Connection {
    /// A connection over any stream of bytes.
    pub fn new(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Way::Other(Box::new(io)))
    }

    /// A connection over a socket that nothing protects.
    pub fn plain(socket: TcpStream) -> Self {
        Self(Way::Plain(socket))
    }

    /// The socket that bytes go over as they are, if there is one.
    pub(crate) fn plain_socket(&self) -> Option<&TcpStream> {
        match &self.0 {
            Way::Plain(socket) => Some(socket),
            Way::Other(_) => None,
        }
    }

    fn io(self: Pin<&mut Self>) -> Pin<&mut dyn Io> {
        match &mut self.get_mut().0 {
            Way::Plain(socket) => Pin::new(socket),
            Way::Other(io) => Pin::new(&mut **io),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.io().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Way::Plain(socket) => socket.is_write_vectored(),
            Way::Other(io) => io.is_write_vectored(),
        }
    }
}
