//! Reading files in pieces: at once where the page cache has them, off the asynchronous threads where the disk must be waited for.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use zot_contract::FilePart;
use zot_oci::ByteRange;

use crate::{
    Error, Result,
    blobs::{Opened, PIECE_BYTES, Pieces},
    error::blocking,
};

/// A file that is being read from its position on.
struct Reading {
    left: FilePart,
    path: PathBuf,
}

/// Reads `range` of the file at `path`, which must have `size` bytes. The first piece is read before this returns.
pub(in crate::blobs) async fn read(path: PathBuf, size: u64, range: ByteRange) -> Result<Opened> {
    let room = room(range.length());
    let (first, rest, file) = blocking(move || {
        let mut reading = Reading::open(path, size, range)?;
        let file = reading.left.clone();
        let first = reading.piece(room)?;
        Ok((first, reading, file))
    })
    .await?;
    let first = stream::iter([Ok(first)]);
    Ok(if rest.left.length == 0 { first.boxed().into() } else { Opened { pieces: first.chain(pieces(rest)).boxed(), file: Some(file) } })
}

/// Reads everything in `file`, from its start.
pub(super) fn whole(file: File, path: &Path) -> Result<Pieces> {
    let length = file.metadata().map_err(Error::file("stat", path))?.len();
    (&file).rewind().map_err(Error::file("seek in", path))?;
    let left = FilePart { file: Arc::new(file), first: 0, length };
    Ok(pieces(Reading { left, path: path.to_owned() }).boxed())
}

fn pieces(reading: Reading) -> impl futures::Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold(reading, |mut reading| async {
        if reading.left.length == 0 {
            return Ok(None);
        }
        let room = room(reading.left.length);
        if reading.left.is_cached(room.capacity() as u64) {
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
        Ok(Self { left: FilePart { file: Arc::new(file), first: range.first(), length: range.length() }, path })
    }

    /// The next piece, as much as there is `room` for: a file that ends early is an error.
    fn piece(&mut self, mut piece: Vec<u8>) -> Result<Bytes> {
        let length = self.left.length.min(piece.capacity() as u64);
        let read = (&*self.left.file).take(length).read_to_end(&mut piece).map_err(Error::file("read", &self.path))?;
        if read as u64 != length {
            return Err(Error::damaged(format!("file `{}`", self.path.display()), "it ends before its size"));
        }
        self.left.skip(length);
        Ok(piece.into())
    }
}
