//! What every store of bytes must do; run by each.

use bytes::Bytes;
use futures::TryStreamExt;
use zot_contract::UploadId;
use zot_oci::{ByteRange, Digest};

use super::{BlobStore, PIECE_BYTES, Pieces};
use crate::BlobKey;

fn key(text: &str) -> BlobKey {
    BlobKey::shared(&Digest::sha256(text.as_bytes()))
}

async fn collect(pieces: Pieces) -> Vec<u8> {
    pieces.try_collect::<Vec<_>>().await.unwrap().concat()
}

async fn read(store: &dyn BlobStore, key: &BlobKey, size: u64, range: ByteRange) -> Vec<u8> {
    collect(store.read(key, size, range).await.unwrap()).await
}

/// Runs every sentence of the contract against an empty store.
pub(crate) async fn blob_store_suite(store: &dyn BlobStore) {
    staged_bytes_are_read_once_committed(store).await;
    bytes_at_hand_are_stored(store).await;
    ranges_are_exact(store).await;
    a_resumed_upload_goes_on(store).await;
    truncation_drops_the_end(store).await;
    a_wrong_size_is_damage(store).await;
    discarded_and_deleted_bytes_are_gone(store).await;
    committing_twice_keeps_the_bytes(store).await;
}

async fn staged_bytes_are_read_once_committed(store: &dyn BlobStore) {
    let upload = UploadId::random();
    let mut staged = store.stage(upload).await.unwrap();
    staged.write(vec![Bytes::from_static(b"ab"), Bytes::from_static(b"cd")]).await.unwrap();
    staged.write(vec![Bytes::from_static(b"ef")]).await.unwrap();
    assert_eq!(collect(staged.read_back().await.unwrap()).await, b"abcdef");
    assert_eq!(store.staged().await.unwrap(), [upload]);
    staged.commit(&key("staged")).await.unwrap();
    assert_eq!(store.staged().await.unwrap(), []);
    assert_eq!(read(store, &key("staged"), 6, ByteRange::whole(6).unwrap()).await, b"abcdef");
}

async fn bytes_at_hand_are_stored(store: &dyn BlobStore) {
    store.put(&key("put"), Bytes::from_static(b"xyz")).await.unwrap();
    assert_eq!(store.size(&key("put")).await.unwrap(), Some(3));
    assert_eq!(store.size(&key("absent")).await.unwrap(), None);
    assert_eq!(read(store, &key("put"), 3, ByteRange::whole(3).unwrap()).await, b"xyz");
}

async fn ranges_are_exact(store: &dyn BlobStore) {
    let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 7).map(|index| (index % 251) as u8).collect();
    let size = bytes.len() as u64;
    store.put(&key("ranges"), bytes.clone().into()).await.unwrap();
    let piece = PIECE_BYTES as u64;
    for (first, last) in [(0, size - 1), (0, 0), (size - 1, size - 1), (1, piece), (piece, 2 * piece - 1), (5, size - 2)] {
        let found = read(store, &key("ranges"), size, ByteRange::new(first, last).unwrap()).await;
        assert!(found == bytes[first as usize..=last as usize], "{first}-{last}");
    }
}

async fn a_resumed_upload_goes_on(store: &dyn BlobStore) {
    let upload = UploadId::random();
    let mut staged = store.stage(upload).await.unwrap();
    staged.write(vec![Bytes::from_static(b"abc-lost")]).await.unwrap();
    staged.flush().await.unwrap();
    drop(staged);
    assert!(store.resume(upload, 100).await.unwrap().is_none());
    assert!(store.resume(UploadId::random(), 0).await.unwrap().is_none());
    let mut staged = store.resume(upload, 3).await.unwrap().unwrap();
    staged.write(vec![Bytes::from_static(b"def")]).await.unwrap();
    staged.commit(&key("resumed")).await.unwrap();
    assert_eq!(read(store, &key("resumed"), 6, ByteRange::whole(6).unwrap()).await, b"abcdef");
}

async fn truncation_drops_the_end(store: &dyn BlobStore) {
    let mut staged = store.stage(UploadId::random()).await.unwrap();
    staged.write(vec![Bytes::from_static(b"abcdef")]).await.unwrap();
    staged.truncate(2).await.unwrap();
    staged.write(vec![Bytes::from_static(b"z")]).await.unwrap();
    staged.commit(&key("truncated")).await.unwrap();
    assert_eq!(read(store, &key("truncated"), 3, ByteRange::whole(3).unwrap()).await, b"abz");
}

async fn a_wrong_size_is_damage(store: &dyn BlobStore) {
    store.put(&key("size"), Bytes::from_static(b"abc")).await.unwrap();
    assert!(store.read(&key("size"), 4, ByteRange::whole(4).unwrap()).await.is_err());
    assert!(store.read(&key("never"), 1, ByteRange::whole(1).unwrap()).await.is_err());
}

async fn discarded_and_deleted_bytes_are_gone(store: &dyn BlobStore) {
    let upload = UploadId::random();
    let mut staged = store.stage(upload).await.unwrap();
    staged.write(vec![Bytes::from_static(b"abc")]).await.unwrap();
    drop(staged);
    store.discard(upload).await.unwrap();
    store.discard(upload).await.unwrap();
    assert!(!store.staged().await.unwrap().contains(&upload));

    store.put(&key("deleted"), Bytes::from_static(b"abc")).await.unwrap();
    store.delete(&key("deleted")).await.unwrap();
    store.delete(&key("deleted")).await.unwrap();
    assert!(store.read(&key("deleted"), 3, ByteRange::whole(3).unwrap()).await.is_err());
}

async fn committing_twice_keeps_the_bytes(store: &dyn BlobStore) {
    for _ in 0..2 {
        let mut staged = store.stage(UploadId::random()).await.unwrap();
        staged.write(vec![Bytes::from_static(b"same")]).await.unwrap();
        staged.commit(&key("twice")).await.unwrap();
    }
    assert_eq!(read(store, &key("twice"), 4, ByteRange::whole(4).unwrap()).await, b"same");
}
