//! Reading files in pieces: at once where the page cache has them, off the asynchronous threads where the disk must be waited for.

use std::{
    fs::File,
    io::{IoSliceMut, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use rustix::io::{ReadWriteFlags, preadv2};
use zot_oci::ByteRange;

use crate::{
    Error, Result,
    blobs::{PIECE_BYTES, Pieces},
    error::blocking,
};

/// A file that is being read from its position on.
struct Reading {
    file: File,
    path: PathBuf,
    position: u64,
    left: u64,
}

/// Reads `range` of the file at `path`, which must have `size` bytes. The first piece is read before this returns.
pub(in crate::blobs) async fn read(path: PathBuf, size: u64, range: ByteRange) -> Result<Pieces> {
    let room = room(range.length());
    let (first, rest) = blocking(move || {
        let mut reading = Reading::open(path, size, range)?;
        let first = reading.piece(room)?;
        Ok((first, reading))
    })
    .await?;
    let first = stream::iter([Ok(first)]);
    Ok(if rest.left == 0 { first.boxed() } else { first.chain(pieces(rest)).boxed() })
}

/// Reads everything in `file`, from its start.
pub(super) fn whole(file: File, path: &Path) -> Result<Pieces> {
    let left = file.metadata().map_err(Error::file("stat", path))?.len();
    let mut reading = Reading { file, path: path.to_owned(), position: 0, left };
    reading.file.rewind().map_err(Error::file("seek in", path))?;
    Ok(pieces(reading).boxed())
}

fn pieces(reading: Reading) -> impl futures::Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold(reading, |mut reading| async {
        if reading.left == 0 {
            return Ok(None);
        }
        let room = room(reading.left);
        if reading.is_cached(room.capacity()) {
            return reading.piece(room).map(|piece| Some((piece, reading)));
        }
        let next = blocking(move || {
            let piece = reading.piece(room)?;
            Ok((piece, reading))
        });
        next.await.map(Some)
    })
}

/// Memory for the next piece, taken where it will be given back: on the asynchronous threads. There are few of them; the many threads that
/// block would each keep some of it.
fn room(left: u64) -> Vec<u8> {
    Vec::with_capacity(left.min(PIECE_BYTES as u64) as usize)
}

impl Reading {
    fn open(path: PathBuf, size: u64, range: ByteRange) -> Result<Self> {
        let mut file = File::open(&path).map_err(Error::file("open", &path))?;
        let found = file.metadata().map_err(Error::file("stat", &path))?.len();
        if found != size {
            return Err(Error::damaged(format!("file `{}`", path.display()), format!("it has {found} bytes, {size} were stored")));
        }
        if range.first() > 0 {
            file.seek(SeekFrom::Start(range.first())).map_err(Error::file("seek in", &path))?;
        }
        Ok(Self { file, path, position: range.first(), left: range.length() })
    }

    /// Whether the next `length` bytes can be had without waiting for the disk. Files are read ahead in order, so their end tells.
    fn is_cached(&self, length: usize) -> bool {
        let last = self.position + self.left.min(length as u64) - 1;
        preadv2(&self.file, &mut [IoSliceMut::new(&mut [0])], last, ReadWriteFlags::NOWAIT) == Ok(1)
    }

    /// The next piece, as much as there is `room` for: a file that ends early is an error.
    fn piece(&mut self, mut piece: Vec<u8>) -> Result<Bytes> {
        let length = self.left.min(piece.capacity() as u64);
        let read = (&self.file).take(length).read_to_end(&mut piece).map_err(Error::file("read", &self.path))?;
        if read as u64 != length {
            return Err(Error::damaged(format!("file `{}`", self.path.display()), "it ends before its size"));
        }
        self.position += length;
        self.left -= length;
        Ok(piece.into())
    }
}
