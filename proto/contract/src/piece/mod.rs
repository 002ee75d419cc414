//! Pieces of blobs on their way, wherever their bytes are.

mod file;
mod pipe;

use std::{io, os::fd::AsFd};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};

pub use self::{
    file::FilePart,
    pipe::{PipePart, Pipes},
};

/// The most bytes that the system holds in one piece: what comes after them can be decided anew.
pub const HELD_BYTES_MAX: usize = 1024 * 1024;
/// The most bytes of such a piece that are taken into memory at a time.
const TAKEN_BYTES_MAX: usize = 256 * 1024;

/// A piece of a blob.
#[derive(Debug)]
pub enum Piece {
    /// In the memory of this process.
    Bytes(Bytes),
    /// Held by the system for this process.
    Held(Held),
}

/// Bytes that the system holds, at most [`HELD_BYTES_MAX`] of them: it can send them without this process ever having them in its memory.
#[derive(Debug)]
pub enum Held {
    /// In a file, where no disk must be waited for to read them.
    File(FilePart),
    /// In a pipe.
    Pipe(PipePart),
}

impl Piece {
    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Held(held) => held.length(),
        }
    }
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl Held {
    /// How many bytes are left of it.
    pub fn length(&self) -> u64 {
        match self {
            Self::File(part) => part.length,
            Self::Pipe(part) => part.length() as u64,
        }
    }

    /// Has the system send its first bytes, `most` at most and none of them twice. Returns how many went.
    ///
    /// # Errors
    /// `WouldBlock` if the socket takes none now; `UnexpectedEof` if a file ends before its part does; whatever the socket says.
    pub fn send(&mut self, socket: impl AsFd, most: usize) -> io::Result<usize> {
        match self {
            Self::File(part) => part.send(socket, most),
            Self::Pipe(part) => part.send(socket, most),
        }
    }

    /// Takes its first bytes into memory, a few hundred KiB at most. What is left has no bytes only if nothing is left.
    ///
    /// # Errors
    /// `UnexpectedEof` if a file ends before its part does; whatever reading says.
    pub fn take(&mut self) -> io::Result<Bytes> {
        let memory = Vec::with_capacity(usize::try_from(self.length()).map_or(TAKEN_BYTES_MAX, |length| length.min(TAKEN_BYTES_MAX)));
        match self {
            Self::File(part) => part.take(memory),
            Self::Pipe(part) => part.take(memory),
        }
    }
}

/// The same bytes, all in memory. `unreadable` makes an error of what was held and cannot be read.
pub fn in_memory<E>(
    pieces: impl Stream<Item = Result<Piece, E>> + Unpin,
    unreadable: impl Fn(io::Error) -> E,
) -> impl Stream<Item = Result<Bytes, E>> {
    let taken = move |(mut pieces, held, unreadable): (_, Option<Held>, _)| async move {
        let mut held = match held.filter(|held| held.length() > 0) {
            Some(held) => held,
            None => match next(&mut pieces).await? {
                Some(Piece::Bytes(bytes)) => return Ok(Some((bytes, (pieces, None, unreadable)))),
                Some(Piece::Held(held)) => held,
                None => return Ok(None),
            },
        };
        let bytes = held.take().map_err(&unreadable)?;
        Ok(Some((bytes, (pieces, Some(held), unreadable))))
    };
    stream::try_unfold((pieces, None, unreadable), taken)
}

async fn next<E>(pieces: &mut (impl Stream<Item = Result<Piece, E>> + Unpin)) -> Result<Option<Piece>, E> {
    pieces.next().await.transpose()
}

/// A file or a pipe that has fewer bytes than it was said to have.
fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "what the system holds of a blob ends before its size")
}
