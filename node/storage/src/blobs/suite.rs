//! What every store of bytes must do; run by each.
#![expect(clippy::unwrap_used, reason = "this is test code, which other crates' tests can only reach as a library")]

use bytes::Bytes;
use futures::TryStreamExt;
use zot_contract::UploadId;
use zot_oci::{ByteRange, Digest};

use super::{BlobStore, PIECE_BYTES, Pieces, Staged, in_memory};
use crate::{BlobAddress, BlobKey};

/// The key of content, by its digest as everywhere: a store may rely on that.
fn key(content: &[u8]) -> BlobKey {
    BlobKey::shared(&Digest::sha256(content))
}

async fn collect(pieces: Pieces) -> Vec<u8> {
    pieces.try_collect::<Vec<_>>().await.unwrap().concat()
}

async fn read(store: &dyn BlobStore, at: &BlobAddress, size: u64, range: ByteRange) -> Vec<u8> {
    collect(in_memory(store.read(at, size, range).await.unwrap())).await
}

async fn commit(mut staged: Box<dyn Staged>, key: BlobKey) -> BlobAddress {
    let place = staged.commit(&key).await.unwrap();
    staged.finish();
    BlobAddress { key, place }
}

async fn put(store: &dyn BlobStore, bytes: impl Into<Bytes>) -> BlobAddress {
    let bytes = bytes.into();
    let key = key(&bytes);
    store.put(&key, bytes).await.unwrap();
    key.into()
}

/// Runs every sentence of the contract against an empty store.
pub async fn blob_store_suite(store: &dyn BlobStore) {
    staged_bytes_are_read_once_committed(store).await;
    bytes_at_hand_are_stored(store).await;
    ranges_are_exact(store).await;
    a_resumed_upload_goes_on(store).await;
    a_stale_writer_spoils_nothing(store).await;
    truncation_drops_the_end(store).await;
    a_wrong_size_is_damage(store).await;
    discarded_and_deleted_bytes_are_gone(store).await;
    committing_twice_keeps_the_bytes(store).await;
}

async fn staged_bytes_are_read_once_committed(store: &dyn BlobStore) {
    let upload = UploadId::random();
    let mut staged = store.stage(upload).await.unwrap();
    staged.write(vec![Bytes::from_static(b"ab"), Bytes::from_static(b"cd")]).await.unwrap();
    staged.flush().await.unwrap();
    staged.write(vec![Bytes::from_static(b"ef")]).await.unwrap();
    assert_eq!(collect(staged.read_back().await.unwrap()).await, b"abcdef");
    staged.flush().await.unwrap();
    assert_eq!(store.staged().await.unwrap(), [upload]);
    let at = commit(staged, key(b"abcdef")).await;
    assert_eq!(store.staged().await.unwrap(), []);
    assert_eq!(store.size(&at).await.unwrap(), Some(6));
    assert_eq!(read(store, &at, 6, ByteRange::whole(6).unwrap()).await, b"abcdef");
}

async fn bytes_at_hand_are_stored(store: &dyn BlobStore) {
    let at = put(store, "xyz").await;
    assert_eq!(store.size(&at).await.unwrap(), Some(3));
    assert_eq!(store.size(&key(b"absent").into()).await.unwrap(), None);
    assert_eq!(read(store, &at, 3, ByteRange::whole(3).unwrap()).await, b"xyz");
}

async fn ranges_are_exact(store: &dyn BlobStore) {
    let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 7).map(|index| (index % 251) as u8).collect();
    let size = bytes.len() as u64;
    let at = put(store, bytes.clone()).await;
    let piece = PIECE_BYTES as u64;
    for (first, last) in [(0, size - 1), (0, 0), (size - 1, size - 1), (1, piece), (piece, 2 * piece - 1), (5, size - 2)] {
        let found = read(store, &at, size, ByteRange::new(first, last).unwrap()).await;
        assert!(found == bytes[first as usize..=last as usize], "{first}-{last}");
    }
}

async fn a_resumed_upload_goes_on(store: &dyn BlobStore) {
    let upload = UploadId::random();
    let mut staged = store.stage(upload).await.unwrap();
    staged.write(vec![Bytes::from_static(b"abc")]).await.unwrap();
    staged.flush().await.unwrap();
    let state = staged.state();
    staged.write(vec![Bytes::from_static(b"-lost")]).await.unwrap();
    staged.flush().await.unwrap();
    drop(staged);
    assert!(store.resume(upload, 100, &state).await.unwrap().is_none());
    assert!(store.resume(UploadId::random(), 0, &[]).await.unwrap().is_none());
    let mut staged = store.resume(upload, 3, &state).await.unwrap().unwrap();
    assert_eq!(collect(staged.read_back().await.unwrap()).await, b"abc");
    staged.write(vec![Bytes::from_static(b"def")]).await.unwrap();
    let at = commit(staged, key(b"abcdef")).await;
    assert_eq!(read(store, &at, 6, ByteRange::whole(6).unwrap()).await, b"abcdef");
}

/// Only where another process may take an upload up: elsewhere nobody has the same one twice.
async fn a_stale_writer_spoils_nothing(store: &dyn BlobStore) {
    if !store.staging().durable_when_flushed {
        return;
    }
    let upload = UploadId::random();
    let mut stale = store.stage(upload).await.unwrap();
    stale.write(vec![Bytes::from_static(b"abc")]).await.unwrap();
    stale.flush().await.unwrap();
    let state = stale.state();
    // Others who start from nothing leave it alone.
    let mut other = store.stage(upload).await.unwrap();
    other.write(vec![Bytes::from_static(b"other")]).await.unwrap();
    other.flush().await.unwrap();
    drop(other);
    let mut current = store.resume(upload, 3, &state).await.unwrap().unwrap();
    current.write(vec![Bytes::from_static(b"def")]).await.unwrap();
    current.flush().await.unwrap();
    // What fails does no harm.
    stale.write(vec![Bytes::from_static(b"xyz")]).await.ok();
    stale.flush().await.ok();
    drop(stale);
    let key = key(b"abcdef");
    if let Ok(place) = current.commit(&key).await {
        assert_eq!(read(store, &BlobAddress { key, place }, 6, ByteRange::whole(6).unwrap()).await, b"abcdef");
    }
}

async fn truncation_drops_the_end(store: &dyn BlobStore) {
    let mut staged = store.stage(UploadId::random()).await.unwrap();
    staged.write(vec![Bytes::from_static(b"abcdef")]).await.unwrap();
    staged.truncate(2).await.unwrap();
    staged.write(vec![Bytes::from_static(b"z")]).await.unwrap();
    let at = commit(staged, key(b"abz")).await;
    assert_eq!(read(store, &at, 3, ByteRange::whole(3).unwrap()).await, b"abz");
}

async fn a_wrong_size_is_damage(store: &dyn BlobStore) {
    let at = put(store, "abc").await;
    assert!(store.read(&at, 4, ByteRange::whole(4).unwrap()).await.is_err());
    assert!(store.read(&key(b"never").into(), 1, ByteRange::whole(1).unwrap()).await.is_err());
}

async fn discarded_and_deleted_bytes_are_gone(store: &dyn BlobStore) {
    let upload = UploadId::random();
    let mut staged = store.stage(upload).await.unwrap();
    staged.write(vec![Bytes::from_static(b"abc")]).await.unwrap();
    staged.flush().await.unwrap();
    let state = staged.state();
    drop(staged);
    store.discard(upload, &state).await.unwrap();
    store.discard(upload, &state).await.unwrap();
    store.discard(upload, &[]).await.unwrap();
    assert!(!store.staged().await.unwrap().contains(&upload));

    let mut staged = store.stage(upload).await.unwrap();
    staged.write(vec![Bytes::from_static(b"abc")]).await.unwrap();
    staged.flush().await.unwrap();
    staged.discard().await.unwrap();
    assert!(!store.staged().await.unwrap().contains(&upload));

    let at = put(store, "abc").await;
    store.delete(&at).await.unwrap();
    store.delete(&at).await.unwrap();
    assert_eq!(store.size(&at).await.unwrap(), None);
    assert!(store.read(&at, 3, ByteRange::whole(3).unwrap()).await.is_err());
}

async fn committing_twice_keeps_the_bytes(store: &dyn BlobStore) {
    for _ in 0..2 {
        let mut staged = store.stage(UploadId::random()).await.unwrap();
        staged.write(vec![Bytes::from_static(b"same")]).await.unwrap();
        let at = commit(staged, key(b"same")).await;
        assert_eq!(read(store, &at, 4, ByteRange::whole(4).unwrap()).await, b"same");
    }
}
