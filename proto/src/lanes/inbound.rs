//! What comes in on a lane: read in large pieces, handed out without a copy.

use std::io;

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use rustix::fs::sendfile;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    time::timeout,
};
use zot_contract::FilePart;

use super::{
    READ_BYTES, WRITE_IDLE_MAX,
    frame::{Header, NoFrame},
};
use crate::Connection;

/// Room for whatever is not data, and for all of a small blob.
const MESSAGE_ROOM_BYTES: usize = 16 * 1024;
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

    /// The next header.
    pub(super) async fn header(&mut self) -> io::Result<Header> {
        loop {
            if let Some(header) = Header::take(&mut self.bytes).map_err(invalid)? {
                return Ok(header);
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

    /// Some of `most` bytes: those that are there, or those that come next. `missing` says how many will come in all.
    pub(super) async fn some(&mut self, most: usize, missing: u64) -> io::Result<Bytes> {
        if self.bytes.is_empty() {
            let missing = usize::try_from(missing).unwrap_or(READ_BYTES);
            self.fill(missing.clamp(MESSAGE_ROOM_BYTES, READ_BYTES)).await?;
        }
        Ok(self.bytes.split_to(self.bytes.len().min(most)).freeze())
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

    /// Whether [`Self::write_file`] can be used: what is protected must pass through this process.
    pub(super) fn takes_files(&self) -> bool {
        self.io.plain_socket().is_some()
    }

    /// Writes the first `count` bytes of `part`, which the system takes from where it keeps files to the socket. `part` is what is left then.
    pub(super) async fn write_file(&mut self, part: &mut FilePart, count: u64) -> io::Result<()> {
        let socket = self.io.plain_socket().ok_or(io::ErrorKind::Unsupported)?;
        let left = part.length - count;
        while part.length > left {
            timeout(WRITE_IDLE_MAX, socket.writable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
            let most = usize::try_from(part.length - left).unwrap_or(usize::MAX);
            let mut at = part.first;
            match socket.try_io(Interest::WRITABLE, || Ok(sendfile(socket, &part.file, Some(&mut at), most)?)) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::InvalidData, "a file ends before its size")),
                Ok(sent) => part.skip(sent as u64),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
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
