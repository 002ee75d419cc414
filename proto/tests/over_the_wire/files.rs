//! Blobs in files, which the system sends where nothing protects the lane.

use std::{
    fs::{self, File},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;
use zot_contract::{BlobBody, Blobs as _, Context, Error, FilePart, HELD_BYTES_MAX, Held, Piece, in_memory, suite::content::blob_of};
use zot_oci::{ByteRange, Digest};
use zot_proto::{RemoteRegistry, Unreachable};

use crate::{
    scripted::Scripted,
    secured::{Identity, authority},
    wire::Wire,
};

/// More than one frame.
const BYTES: usize = 5_000_003;
/// What comes before the blob in its file.
const BEFORE: &[u8] = b"something else";

/// A file with a blob in it, on a disk if the directory of temporary files is on one.
fn file_with(blob: &Bytes) -> (TempDir, FilePart) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blob");
    fs::write(&path, [BEFORE, blob, b"and more"].concat()).unwrap();
    let file = File::open(&path).unwrap();
    file.sync_all().unwrap();
    (folder, FilePart { file: Arc::new(file), first: BEFORE.len() as u64, length: blob.len() as u64 })
}

/// A piece as a store that reads files gives it.
fn held(part: FilePart) -> Result<Piece, Error> {
    Ok(Piece::Held(Held::File(part)))
}

/// A body that begins with `first`, and has all of `file` held after it.
fn body(first: &[Bytes], mut file: FilePart) -> BlobBody {
    let mut pieces: Vec<Result<Piece, Error>> = first.iter().cloned().map(|bytes| Ok(bytes.into())).collect();
    while file.length > 0 {
        pieces.push(held(file.split_to(HELD_BYTES_MAX as u64)));
    }
    BlobBody { size: BYTES as u64, stream: stream::iter(pieces).boxed() }
}

async fn read(remote: &RemoteRegistry, range: Option<ByteRange>) -> Result<Bytes, Error> {
    let body = remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), range).await?;
    assert_eq!(body.size, BYTES as u64);
    Ok(body.in_memory().try_collect::<Vec<Bytes>>().await?.concat().into())
}

#[tokio::test]
async fn a_file_is_sent_after_what_was_read_of_it() {
    let blob = blob_of(6, BYTES);
    let (_folder, file) = file_with(&blob);
    for first in [0, 1, 100_000] {
        let mut rest = file.clone();
        let read_before = rest.split_to(first).length as usize;
        let wire = Wire::to(Scripted::reading(body(&[blob.slice(..read_before)], rest))).await;
        assert_eq!(read(&wire.remote, None).await.unwrap(), blob);
    }
}

#[tokio::test]
async fn what_comes_on_a_plain_lane_stays_with_the_system() {
    let blob = blob_of(13, BYTES);
    let (_folder, file) = file_with(&blob);
    let wire = Wire::to(Scripted::reading(body(&[], file))).await;
    let mut body = wire.remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), None).await.unwrap();
    let (mut came, mut held_bytes) = (Vec::new(), 0);
    while let Some(piece) = body.stream.try_next().await.unwrap() {
        match piece {
            Piece::Bytes(bytes) => came.extend_from_slice(&bytes),
            Piece::Held(mut held) => {
                held_bytes += held.length();
                while held.length() > 0 {
                    came.extend_from_slice(&held.take().unwrap());
                }
            }
        }
    }
    assert!(came == blob);
    assert!(held_bytes > BYTES as u64 / 2, "only {held_bytes} bytes were held");
}

#[tokio::test]
async fn who_keeps_everything_in_pipes_gets_the_rest_in_memory() {
    let blob = blob_of(14, BYTES);
    let (_folder, file) = file_with(&blob);
    let wire = Wire::to(Scripted::reading(body(&[], file))).await;
    let body = wire.remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), None).await.unwrap();
    let pieces: Vec<Piece> = body.stream.try_collect().await.unwrap();
    let came = in_memory(stream::iter(pieces.into_iter().map(Ok)), Error::internal);
    assert!(came.try_collect::<Vec<Bytes>>().await.unwrap().concat() == blob);
}

#[tokio::test]
async fn a_part_of_a_blob_is_a_part_of_its_file() {
    let blob = blob_of(8, BYTES);
    let (_folder, mut file) = file_with(&blob);
    drop(file.split_to(1000));
    let wire = Wire::to(Scripted::reading(body(&[], file.split_to(2_000_000)))).await;
    let range = ByteRange::new(1000, 2_000_999).unwrap();
    assert_eq!(read(&wire.remote, Some(range)).await.unwrap(), blob.slice(1000..2_001_000));
}

#[tokio::test]
async fn a_file_that_ends_early_is_no_whole_blob() {
    let blob = blob_of(9, BYTES);
    let (folder, file) = file_with(&blob);
    let shorter = File::options().write(true).open(folder.path().join("blob")).unwrap();
    shorter.set_len(1_500_000).unwrap();
    for first in [0, 1_400_000] {
        let file = FilePart { first, ..file.clone() };
        let wire = Wire::to(Scripted::reading(body(&[], file))).await;
        let ended = read(&wire.remote, None).await;
        assert!(ended.is_err(), "{} bytes", ended.unwrap().len());
    }
}

#[tokio::test]
async fn who_reads_no_further_holds_nothing_up() {
    let blob = blob_of(10, BYTES);
    let (_folder, file) = file_with(&blob);
    let wire = Wire::to(Scripted::reading(body(&[], file))).await;
    let body = wire.remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), None).await.unwrap();
    drop(body);
    let again = wire.remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), None).await;
    assert!(again.is_err_and(|error| !Unreachable::caused(&error)));
}

#[tokio::test]
async fn over_tls_the_bytes_pass_through_the_process() {
    let blob = blob_of(11, BYTES);
    let (_folder, file) = file_with(&blob);
    let authority = authority();
    let node = Identity::new(&authority, &authority, "127.0.0.1");
    let server = node.serve_registry(Scripted::reading(body(&[], file))).await;
    assert_eq!(read(&node.dial(&server), None).await.unwrap(), blob);
}
