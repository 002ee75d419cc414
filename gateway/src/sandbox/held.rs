//! Blobs that the system holds.

use std::{io::Write as _, os::unix::net::UnixStream, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use zot_contract::{BlobStream, FilePart, HELD_BYTES_MAX, Held, Piece, Pipes};

/// How many bytes are in memory, in a pipe and in a file before it starts over.
const IN_MEMORY: usize = 1000;
const IN_A_PIPE: usize = 70_000;

/// `blob` in pieces, held in every way.
pub(super) fn pieces(blob: &[u8]) -> BlobStream {
    let (pipes, mut rest, mut pieces) = (Pipes::default(), blob, Vec::new());
    let mut next = |most: usize| {
        let (first, others) = rest.split_at(most.min(rest.len()));
        rest = others;
        (!first.is_empty()).then_some(first)
    };
    while let Some(some) = next(IN_MEMORY) {
        pieces.push(Piece::Bytes(Bytes::copy_from_slice(some)));
        let Some(some) = next(IN_A_PIPE) else { break };
        pieces.push(piped(&pipes, some));
        let Some(some) = next(HELD_BYTES_MAX) else { break };
        pieces.push(filed(some, some.len() as u64));
    }
    stream::iter(pieces.into_iter().map(Ok)).boxed()
}

/// `blob` in a file that ends half-way.
pub(super) fn cut(blob: &[u8]) -> BlobStream {
    stream::iter([Ok(filed(&blob[..blob.len() / 2], blob.len() as u64))]).boxed()
}

fn filed(bytes: &[u8], length: u64) -> Piece {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Piece::Held(Held::File(FilePart { file: Arc::new(file), first: 0, length }))
}

fn piped(pipes: &Pipes, bytes: &[u8]) -> Piece {
    let (mut near, far) = UnixStream::pair().unwrap();
    near.write_all(bytes).unwrap();
    Piece::Held(Held::Pipe(pipes.fill(&far, bytes.len()).unwrap().unwrap()))
}
