//! Blobs in files, which the system sends where nothing protects the lane.

use std::{
    fs::{self, File},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;
use zot_contract::{BlobBody, Blobs as _, Context, Error, FilePart, suite::content::blob_of};
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

/// A body of which nothing but `first` comes from elsewhere than the file.
fn body(first: &[Bytes], file: &FilePart) -> BlobBody {
    let pieces: Vec<Result<Bytes, Error>> = first.iter().cloned().map(Ok).collect();
    let stream = stream::iter(pieces).chain(stream::pending()).boxed();
    BlobBody { size: BYTES as u64, stream, file: Some(file.clone()) }
}

async fn read(remote: &RemoteRegistry, range: Option<ByteRange>) -> Result<Bytes, Error> {
    let body = remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), range).await?;
    assert_eq!(body.size, BYTES as u64);
    Ok(body.stream.try_collect::<Vec<Bytes>>().await?.concat().into())
}

#[tokio::test]
async fn a_file_is_sent_after_what_was_read_of_it() {
    let blob = blob_of(6, BYTES);
    let (_folder, file) = file_with(&blob);
    for first in [&[][..], &[blob.slice(..100_000)]] {
        let wire = Wire::to(Scripted::reading(body(first, &file))).await;
        assert_eq!(read(&wire.remote, None).await.unwrap(), blob);
    }
}

#[tokio::test]
async fn a_file_that_the_disk_must_be_waited_for_is_sent_too() {
    let blob = blob_of(7, BYTES);
    let (_folder, file) = file_with(&blob);
    rustix::fs::fadvise(&file.file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let wire = Wire::to(Scripted::reading(body(&[], &file))).await;
    assert_eq!(read(&wire.remote, None).await.unwrap(), blob);
}

#[tokio::test]
async fn a_part_of_a_blob_is_a_part_of_its_file() {
    let blob = blob_of(8, BYTES);
    let (_folder, mut file) = file_with(&blob);
    file.skip(1000);
    file.length = 2_000_000;
    let wire = Wire::to(Scripted::reading(body(&[], &file))).await;
    let range = ByteRange::new(1000, 2_000_999).unwrap();
    assert_eq!(read(&wire.remote, Some(range)).await.unwrap(), blob.slice(1000..2_001_000));
}

#[tokio::test]
async fn a_file_that_ends_early_is_no_whole_blob() {
    let blob = blob_of(9, BYTES);
    let (folder, file) = file_with(&blob);
    let shorter = File::options().write(true).open(folder.path().join("blob")).unwrap();
    shorter.set_len(1_500_000).unwrap();
    let wire = Wire::to(Scripted::reading(body(&[], &file))).await;
    let ended = read(&wire.remote, None).await;
    assert!(ended.is_err(), "{} bytes", ended.unwrap().len());
    // What is behind the end may be cached as little as what is on a disk: either way it is not made up.
    let wire = Wire::to(Scripted::reading(body(&[], &FilePart { first: 1_400_000, ..file }))).await;
    assert!(read(&wire.remote, None).await.is_err());
}

#[tokio::test]
async fn who_reads_no_further_holds_nothing_up() {
    let blob = blob_of(10, BYTES);
    let (_folder, file) = file_with(&blob);
    let wire = Wire::to(Scripted::reading(body(&[], &file))).await;
    let body = wire.remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), None).await.unwrap();
    drop(body);
    let again = wire.remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), None).await;
    assert!(again.is_err_and(|error| !Unreachable::caused(&error)));
}

#[tokio::test]
async fn over_tls_the_bytes_pass_through_the_process() {
    let blob = blob_of(11, BYTES);
    let (_folder, file) = file_with(&blob_of(12, BYTES));
    let authority = authority();
    let node = Identity::new(&authority, &authority, "127.0.0.1");
    let body = BlobBody { file: Some(file), ..BlobBody::new(BYTES as u64, stream::iter([Ok(blob.clone())]).boxed()) };
    let server = node.serve_registry(Scripted::reading(body)).await;
    assert_eq!(read(&node.dial(&server), None).await.unwrap(), blob);
}
