//! What comes in on a lane: read in large pieces and handed out without a copy, or not read at all.

use std::io;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::FutureExt as _;
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

/// A lane, with what came and was not looked at yet.
pub(super) struct Inbound {
    io: Connection,
    bytes: BytesMut,
}

impl Inbound {
    pub(super) fn new(io: Connection) -> Self {
        Self { io, bytes: BytesMut::new() }
    }

    /// The next header. What comes after it is left to the system where that may hold it: `missing` says how many bytes will come.
    pub(super) async fn header(&mut self, missing: u64) -> io::Result<Header> {
        loop {
            if let Some(header) = Header::take(&mut self.bytes).map_err(invalid)? {
                return Ok(header);
            }
            if self.is_plain() && missing >= PIPED_BYTES_MIN {
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

    /// Bytes that come next, at most `most`, in a pipe, if they can be had there.
    async fn piped(&mut self, most: usize, pipes: &Pipes) -> io::Result<Option<Held>> {
        let Some(socket) = self.io.plain_socket() else { return Ok(None) };
        loop {
            socket.readable().await?;
            match socket.try_io(Interest::READABLE, || pipes.fill(socket, most)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                filled => return Ok(filled?.map(Held::Pipe)),
            }
        }
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

    /// Reads once, where `room` bytes are worth it to have room for.
    async fn fill(&mut self, room: usize) -> io::Result<()> {
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
