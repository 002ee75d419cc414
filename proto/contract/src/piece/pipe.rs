//! Bytes in pipes: from a socket into one and from there into another socket, the system moves them without a copy.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::{
    buffer::spare_capacity,
    io::read,
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice},
};

use super::{HELD_BYTES_MAX, ended};

/// The size asked for of a pipe, in bytes of ordinary memory pages. Each page stands for a reference to memory of any size.
const PIPE_BYTES: usize = 256 * 1024;
/// The most pipes with bytes in them. Who gets none takes bytes into memory.
const FULL_MAX: usize = 256;
/// The most empty pipes that are kept.
const EMPTY_MAX: usize = 32;

/// Pipes to be filled. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Pipes(Arc<Mutex<Pool>>);

#[derive(Debug, Default)]
struct Pool {
    empty: Vec<Ends>,
    full: usize,
}

#[derive(Debug)]
struct Ends {
    entrance: OwnedFd,
    exit: OwnedFd,
}

/// Bytes in a pipe of their own.
#[derive(Debug)]
pub struct PipePart {
    /// Taken when it is dropped.
    ends: Option<Ends>,
    length: usize,
    pipes: Pipes,
}

impl Pipes {
    /// Moves bytes that have come in on a socket into a pipe, `most` at most. Nothing if there is no pipe to be had; then the socket has them still.
    ///
    /// # Errors
    /// `WouldBlock` if none have come, `UnexpectedEof` if none will; whatever the socket says.
    pub fn fill(&self, socket: impl AsFd, most: usize) -> io::Result<Option<PipePart>> {
        let Some(ends) = self.open() else { return Ok(None) };
        let mut part = PipePart { ends: None, length: 0, pipes: self.clone() };
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let moved = splice(socket, None, &ends.entrance, None, most.min(HELD_BYTES_MAX), flags);
        part.ends = Some(ends);
        part.length = moved?;
        if part.length == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Some(part)) }
    }

    /// An empty pipe.
    fn open(&self) -> Option<Ends> {
        let mut pool = self.0.lock();
        if pool.full == FULL_MAX {
            return None;
        }
        let ends = pool.empty.pop().or_else(|| Ends::open().ok())?;
        pool.full += 1;
        Some(ends)
    }
}

impl Ends {
    fn open() -> io::Result<Self> {
        let (exit, entrance) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Who has many pipes already is granted less, which is slower and no worse.
        fcntl_setpipe_size(&entrance, PIPE_BYTES).ok();
        Ok(Self { entrance, exit })
    }
}

impl PipePart {
    pub(super) fn length(&self) -> usize {
        self.length
    }

    pub(super) fn send(&mut self, socket: impl AsFd, most: usize) -> io::Result<usize> {
        let most = most.min(self.length);
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        self.moved(|exit| splice(exit, None, socket, None, most, flags))
    }

    pub(super) fn take(&mut self, memory: Vec<u8>) -> io::Result<Bytes> {
        let mut bytes = memory;
        while bytes.is_empty() && self.length > 0 {
            // Nothing but the bytes of this part is in the pipe, whatever room the memory has.
            match self.moved(|exit| read(exit, spare_capacity(&mut bytes))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => return Err(ended()),
                moved => moved.map(drop)?,
            }
        }
        Ok(bytes.into())
    }

    /// Counts what leaves it.
    fn moved(&mut self, leave: impl FnOnce(&OwnedFd) -> rustix::io::Result<usize>) -> io::Result<usize> {
        let ends = self.ends.as_ref().ok_or_else(ended)?;
        let moved = leave(&ends.exit)?;
        self.length = self.length.checked_sub(moved).ok_or_else(ended)?;
        Ok(moved)
    }
}

impl Drop for PipePart {
    /// An empty pipe can be filled again. One with bytes in it is closed, and they are gone.
    fn drop(&mut self) {
        let mut pool = self.pipes.0.lock();
        pool.full -= 1;
        if let Some(ends) = self.ends.take()
            && self.length == 0
            && pool.empty.len() < EMPTY_MAX
        {
            pool.empty.push(ends);
        }
    }
}
