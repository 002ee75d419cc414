//! A connection without TLS, which has the system send what it holds of blobs.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use crate::outlet::Outlet;

/// A plain connection with its outlet.
pub(super) struct PlainIo {
    socket: TcpStream,
    outlet: Outlet,
}

impl PlainIo {
    pub(super) fn new(socket: TcpStream, outlet: Outlet) -> Self {
        Self { socket, outlet }
    }

    /// Sends some of what `count` stand-ins stand for.
    fn poll_send(&self, cx: &mut Context<'_>, count: usize) -> Poll<io::Result<usize>> {
        self.poll_by_system(cx, || self.outlet.send(&self.socket, count))
    }

    /// Writes bytes that what the system holds comes after: it waits for that, so that both wake the client once.
    fn poll_write_before(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        self.poll_by_system(cx, || Ok(sendmsg(&self.socket, slices, &mut SendAncillaryBuffer::default(), flags)?))
    }

    fn poll_by_system(&self, cx: &mut Context<'_>, call: impl Fn() -> io::Result<usize>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            match self.socket.try_io(Interest::WRITABLE, &call) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncRead for PlainIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for PlainIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match slices.iter().position(|slice| Outlet::is_stand_in(slice)) {
            None => Pin::new(&mut self.get_mut().socket).poll_write_vectored(cx, slices),
            Some(0) => self.poll_send(cx, slices[0].len()),
            Some(before) => self.poll_write_before(cx, &slices[..before]),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Asked for when everything is written. Stand-ins that have not come by then were copied, and sent as they are: that must not go on.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.outlet.is_empty() {
            return Poll::Ready(Err(io::Error::other("bytes that the system holds were left out of a response")));
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
