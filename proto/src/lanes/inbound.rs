//! What comes in on a lane: read in large pieces and handed out without a copy, or not read at all.

use std::{io, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::FutureExt as _;
use nix::{libc, setsockopt_impl, sockopt_impl, sys::socket::setsockopt};
use rustix::net::sockopt::set_tcp_cork;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    time::timeout,
};
use zot_contract::{HELD_BYTES_MAX, Held, Piece, Pipes};

use super::{
    READ_BYTES, WRITE_IDLE_MAX,
    frame::{HEADER_BYTES, Header, NoFrame},
};
use crate::Connection;

/// Room for whatever is not data, and for all of a small blob.
const MESSAGE_ROOM_BYTES: usize = 16 * 1024;
/// The last bytes of a blob, as many as these, are sooner read than moved into a pipe and out of it.
const PIPED_BYTES_MIN: u64 = 64 * 1024;
/// Less room than this is not worth a read if more is to come.
const ROOM_BYTES_MIN: usize = 64 * 1024;
/// How long bytes wait for others, to go into a pipe and out of it together: each time costs as much as many bytes.
const WAIT_FOR_OTHERS_MAX: Duration = Duration::from_millis(2);

sockopt_impl!(
    /// How many bytes must have come before who waits for some is woken (socket(7)).
    ReceiveLowWater,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_RCVLOWAT,
    usize
);

/// A lane, with what came and was not looked at yet.
pub(super) struct Inbound {
    io: Connection,
    bytes: BytesMut,
    /// How many bytes must come to wake who waits for some.
    wakes_at: usize,
}

impl Inbound {
    pub(super) fn new(io: Connection) -> Self {
        Self { io, bytes: BytesMut::new(), wakes_at: 1 }
    }

    /// The next header. What comes after it is left to the system where that may hold it: `missing` says how many bytes will come.
    pub(super) async fn header(&mut self, missing: u64) -> io::Result<Header> {
        loop {
            if let Some(header) = Header::take(&mut self.bytes).map_err(invalid)? {
                return Ok(header);
            }
            if self.is_plain() && missing >= PIPED_BYTES_MIN {
                self.wake_at(1);
                let rest = HEADER_BYTES - self.bytes.len();
                match self.io.read_buf(&mut (&mut self.bytes).limit(rest)).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    _ => continue,
                }
            }
            self.fill(MESSAGE_ROOM_BYTES).await?;
        }
    }

    /// All `length` bytes of a message.
    pub(super) async fn message(&mut self, length: usize) -> io::Result<Bytes> {
        while self.bytes.len() < length {
            self.fill(length - self.bytes.len()).await?;
        }
        Ok(self.bytes.split_to(length).freeze())
    }

    /// Some of `most` bytes: those that are there, or those that come next. `missing` says how many will come in all. Many of them stay with
    /// the system, in `pipes`.
    pub(super) async fn some(&mut self, most: usize, missing: u64, pipes: &Pipes) -> io::Result<Piece> {
        if self.bytes.is_empty() {
            if missing >= PIPED_BYTES_MIN
                && let Some(held) = self.piped(most, pipes).await?
            {
                return Ok(Piece::Held(held));
            }
            let missing = usize::try_from(missing).unwrap_or(READ_BYTES);
            self.fill(missing.clamp(MESSAGE_ROOM_BYTES, READ_BYTES)).await?;
        }
        Ok(self.bytes.split_to(self.bytes.len().min(most)).freeze().into())
    }

    /// Bytes that come next, at most `most`, in a pipe, if they can be had there: many of them if they come fast.
    async fn piped(&mut self, most: usize, pipes: &Pipes) -> io::Result<Option<Held>> {
        self.wake_at(most.min(READ_BYTES));
        while let Some(socket) = self.io.plain_socket() {
            let Ok(readable) = timeout(WAIT_FOR_OTHERS_MAX, socket.readable()).await else {
                self.wake_at(1);
                continue;
            };
            readable?;
            match socket.try_io(Interest::READABLE, || pipes.fill(socket, most)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                filled => return Ok(filled?.map(Held::Pipe)),
            }
        }
        Ok(None)
    }

    /// Whether nothing came that was not looked at, and the other end has not closed.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.bytes.is_empty() && self.io.read(&mut [0]).now_or_never().is_none()
    }

    /// Waits until something comes.
    pub(super) async fn begin(&mut self) -> io::Result<()> {
        if self.bytes.is_empty() { self.fill(MESSAGE_ROOM_BYTES).await } else { Ok(()) }
    }

    /// Writes everything in `bytes`, as fast as the other end takes it.
    pub(super) async fn write(&mut self, mut bytes: impl bytes::Buf) -> io::Result<()> {
        while bytes.has_remaining() {
            let wrote = timeout(WRITE_IDLE_MAX, self.io.write_buf(&mut bytes)).await;
            if wrote.map_err(|_| io::ErrorKind::TimedOut)?? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        self.io.flush().await
    }

    /// Whether nothing protects what goes over the lane, so that bytes need not pass through this process.
    pub(super) fn is_plain(&self) -> bool {
        self.io.plain_socket().is_some()
    }

    /// Whether the system holds back what does not fill a packet. For plain lanes only.
    pub(super) fn hold_back(&self, wanted: bool) -> io::Result<()> {
        Ok(set_tcp_cork(self.io.plain_socket().ok_or(io::ErrorKind::Unsupported)?, wanted)?)
    }

    /// Writes all of `held` from where the system has it. For plain lanes only.
    pub(super) async fn write_held(&mut self, mut held: Held) -> io::Result<()> {
        let socket = self.io.plain_socket().ok_or(io::ErrorKind::Unsupported)?;
        while held.length() > 0 {
            timeout(WRITE_IDLE_MAX, socket.writable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
            match socket.try_io(Interest::WRITABLE, || held.send(socket, HELD_BYTES_MAX)) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// How many bytes must have come from now on to wake who waits for some; those that are there already count. For plain lanes only; where the
    /// system does not know it, any wake.
    fn wake_at(&mut self, bytes: usize) {
        if self.wakes_at != bytes
            && let Some(socket) = self.io.plain_socket()
            && setsockopt(socket, ReceiveLowWater, &bytes).is_ok()
        {
            self.wakes_at = bytes;
        }
    }

    /// Reads once, where `room` bytes are worth it to have room for.
    async fn fill(&mut self, room: usize) -> io::Result<()> {
        self.wake_at(1);
        if self.bytes.capacity() - self.bytes.len() < ROOM_BYTES_MIN.min(room) {
            // Memory that nobody reads any more is used again.
            self.bytes.reserve(room);
        }
        match self.io.read_buf(&mut self.bytes).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn invalid(no_frame: NoFrame) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, no_frame)
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::lanes::frame::Kind;

    /// Both ends of a plain lane.
    async fn plain() -> (Inbound, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (Inbound::new(Connection::plain(near.unwrap())), far.unwrap().0)
    }

    #[tokio::test]
    async fn few_bytes_wake_nobody_who_waits_for_many_until_he_waits_for_few() {
        let (mut lane, mut far) = plain().await;
        lane.wake_at(READ_BYTES);
        far.write_all(&[b'x'; 100]).await.unwrap();
        let socket = lane.io.plain_socket().unwrap();
        assert!(timeout(Duration::from_millis(50), socket.readable()).await.is_err());
        lane.wake_at(1);
        lane.io.plain_socket().unwrap().readable().await.unwrap();
    }

    #[tokio::test]
    async fn few_bytes_are_not_held_back_whatever_was_waited_for_before() {
        let ((mut lane, mut far), pipes) = (plain().await, Pipes::default());
        for missing in [0, u64::MAX] {
            lane.wake_at(READ_BYTES);
            far.write_all(&[Kind::Data as u8, 0, 1, 0, 0]).await.unwrap();
            assert_eq!(lane.header(missing).await.unwrap().length, 64 * 1024);
        }
        let (piece, wrote) = tokio::join!(lane.some(HELD_BYTES_MAX, u64::MAX, &pipes), far.write_all(b"some"));
        wrote.unwrap();
        let piece = piece.unwrap();
        assert!(matches!(&piece, Piece::Held(_)) && piece.length() == 4, "{piece:?}");
        lane.wake_at(READ_BYTES);
        far.write_all(b"message").await.unwrap();
        assert_eq!(lane.message(7).await.unwrap(), "message");
    }
}
