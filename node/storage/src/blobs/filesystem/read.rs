//! Reading files in pieces: they stay where they are while the page cache has them, and are read into memory off the asynchronous threads where
//! the disk must be waited for.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::{StreamExt, stream};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use zot_contract::{FilePart, HELD_BYTES_MAX, Held, Piece};
use zot_oci::ByteRange;

use crate::{
    Error, Result,
    blobs::{Opened, PIECE_BYTES, Pieces, in_memory},
    error::blocking,
};

/// Fewer bytes than this are sooner read than sent in a call of their own.
const HELD_BYTES_MIN: u64 = 32 * 1024;

/// A file that is being read.
struct Reading {
    left: FilePart,
    path: PathBuf,
}

/// Reads `range` of the file at `path`, which must have `size` bytes. The first piece is at hand when this returns.
pub(in crate::blobs) async fn read(path: PathBuf, size: u64, range: ByteRange) -> Result<Opened> {
    let (first, rest) = match Reading::open_cached(&path, size, range) {
        Some(mut reading) => (reading.held(), reading),
        None => {
            let memory = memory(range.length());
            blocking(move || {
                let mut reading = Reading::open(path, size, range)?;
                let first = if reading.is_held() { reading.held() } else { reading.piece(memory)? };
                Ok((first, reading))
            })
            .await?
        }
    };
    let first = stream::iter([Ok(first)]);
    Ok(if rest.left.length == 0 { first.boxed() } else { first.chain(pieces(rest)).boxed() })
}

/// Reads everything in `file`, from its start.
pub(super) fn whole(file: File, path: &Path) -> Result<Pieces> {
    let length = file.metadata().map_err(Error::file("stat", path))?.len();
    let left = FilePart { file: Arc::new(file), first: 0, length };
    Ok(in_memory(pieces(Reading { left, path: path.to_owned() }).boxed()))
}

fn pieces(reading: Reading) -> impl futures::Stream<Item = Result<Piece>> + Send {
    stream::try_unfold(reading, |mut reading| async {
        if reading.left.length == 0 {
            return Ok(None);
        }
        if reading.is_held() {
            return Ok(Some((reading.held(), reading)));
        }
        let memory = memory(reading.left.length);
        if reading.left.is_cached(memory.capacity() as u64) {
            return reading.piece(memory).map(|piece| Some((piece, reading)));
        }
        let next = blocking(move || {
            let piece = reading.piece(memory)?;
            Ok((piece, reading))
        });
        next.await.map(Some)
    })
}

/// Memory for the next piece, taken where it will be given back: on the asynchronous threads. There are few of them; the many threads that
/// block would each keep some of it.
fn memory(left: u64) -> Vec<u8> {
    Vec::with_capacity(left.min(PIECE_BYTES as u64) as usize)
}

impl Reading {
    /// What the system need not look for on the disk, if it holds the next piece too. Nothing says nothing: then the file is to be opened.
    fn open_cached(path: &Path, size: u64, range: ByteRange) -> Option<Self> {
        let file = openat2(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::CACHED).ok()?;
        let reading = Self::of(file.into(), path.to_owned(), size, range).ok()?;
        reading.is_held().then_some(reading)
    }

    fn open(path: PathBuf, size: u64, range: ByteRange) -> Result<Self> {
        let file = File::open(&path).map_err(Error::file("open", &path))?;
        Self::of(file, path, size, range)
    }

    fn of(file: File, path: PathBuf, size: u64, range: ByteRange) -> Result<Self> {
        let found = file.metadata().map_err(Error::file("stat", &path))?.len();
        if found != size {
            return Err(Error::damaged(format!("file `{}`", path.display()), format!("it has {found} bytes, {size} were stored")));
        }
        Ok(Self { left: FilePart { file: Arc::new(file), first: range.first(), length: range.length() }, path })
    }

    /// Whether the next piece need not be read: it is worth a call of its own, and no disk must be waited for.
    fn is_held(&self) -> bool {
        self.left.length >= HELD_BYTES_MIN && self.left.is_cached(HELD_BYTES_MAX as u64)
    }

    /// The next piece, where it is.
    fn held(&mut self) -> Piece {
        Piece::Held(Held::File(self.left.split_to(HELD_BYTES_MAX as u64)))
    }

    /// The next piece, as much as `memory` has room for: a file that ends early is an error.
    fn piece(&mut self, memory: Vec<u8>) -> Result<Piece> {
        let read = self.left.take(memory);
        read.map(Piece::from).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::damaged(format!("file `{}`", self.path.display()), "it ends before its size"),
            _ => Error::file("read", &self.path)(error),
        })
    }
}
