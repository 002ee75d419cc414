//! What holds for blobs.

use std::sync::Arc;

use futures::TryStreamExt as _;
use zot_oci::{Algorithm, Digest};

use super::{Client, content::blob_of};
use crate::{Error, Registry};

/// The contract says "a few hundred KiB".
const PIECE_BYTES_MAX: usize = 512 * 1024;

pub(super) async fn a_blob_is_read_as_it_was_pushed(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a/b");
    for length in [0, 1, 65_535, 65_536, 65_537, 1_500_000] {
        let bytes = blob_of(length as u64, length);
        let digest = client.push_blob(bytes.clone()).await;
        assert_eq!(client.stat(&digest).await.unwrap(), length as u64);
        assert!(client.read(&digest).await.unwrap() == bytes, "{length} bytes came back different");
    }
}

pub(super) async fn a_blob_is_read_in_pieces(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let digest = client.push_blob(blob_of(1, 3_000_000)).await;
    let mut stream = client.open_blob(&digest, None).await.unwrap().in_memory();
    while let Some(piece) = stream.try_next().await.unwrap() {
        assert!(piece.len() <= PIECE_BYTES_MAX, "a piece has {} bytes", piece.len());
    }
}

pub(super) async fn a_range_is_read_alone(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let bytes = blob_of(2, 700_000);
    let digest = client.push_blob(bytes.clone()).await;
    for (first, last) in [(0, 0), (0, 699_999), (699_999, 699_999), (1, 2), (65_535, 65_536), (100_000, 650_000)] {
        let part = client.read_range(&digest, first as u64, last as u64).await.unwrap();
        assert!(part == bytes[first..=last], "bytes {first} to {last} came back different");
    }
    let body = client.open_blob(&digest, zot_oci::ByteRange::new(5, 9)).await.unwrap();
    assert_eq!(body.size, 700_000, "the size is that of the whole blob");
}

pub(super) async fn a_whole_blob_is_fetched_here_or_elsewhere(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    for length in [0, 1, 700_000] {
        let bytes = blob_of(length as u64, length);
        let digest = client.push_blob(bytes.clone()).await;
        let fetched = client.fetch(&digest).await.unwrap();
        assert!(fetched.is_none_or(|fetched| fetched == bytes), "{length} bytes came back different");
    }
    let push = client.push_image(1, &[]).await;
    let fetched = client.fetch(&push.digest).await.unwrap();
    assert!(fetched.is_none_or(|fetched| fetched == push.bytes));
}

/// A link is as good as the bytes: whoever may not have these must not get that.
pub(super) async fn only_what_a_repository_has_is_fetched(registry: Arc<dyn Registry>) {
    let (one, other) = (Client::new(&registry, "a"), Client::new(&registry, "a/b"));
    let digest = one.push_blob(blob_of(3, 100_000)).await;
    assert_refused!(other.fetch(&digest).await, Error::NameUnknown { .. });
    other.push_blob("something else").await;
    assert_refused!(other.fetch(&digest).await, Error::BlobUnknown { .. });
    one.delete_blob(&digest).await.unwrap();
    assert!(one.fetch(&digest).await.is_err());
}

pub(super) async fn an_unknown_blob_and_an_unknown_repository_are_told_apart(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let unknown = Digest::sha256(b"unknown");
    assert_refused!(client.stat(&unknown).await, Error::NameUnknown { .. });
    assert_refused!(client.read(&unknown).await, Error::NameUnknown { .. });
    assert_refused!(client.delete_blob(&unknown).await, Error::NameUnknown { .. });
    client.push_blob("known").await;
    assert_refused!(client.stat(&unknown).await, Error::BlobUnknown { .. });
    assert_refused!(client.read(&unknown).await, Error::BlobUnknown { .. });
    assert_refused!(client.delete_blob(&unknown).await, Error::BlobUnknown { .. });
}

pub(super) async fn existence_is_a_fact_of_one_repository(registry: Arc<dyn Registry>) {
    let (one, other) = (Client::new(&registry, "a"), Client::new(&registry, "a/b"));
    let digest = one.push_blob("secret").await;
    other.push_blob("something else").await;
    assert_refused!(other.stat(&digest).await, Error::BlobUnknown { .. });
    assert_refused!(other.read(&digest).await, Error::BlobUnknown { .. });
    assert_refused!(other.delete_blob(&digest).await, Error::BlobUnknown { .. });
    assert!(one.has_blob(&digest).await);
}

pub(super) async fn a_manifest_can_be_read_as_a_blob(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.push_image(1, &["v1"]).await;
    assert_eq!(client.stat(&push.digest).await.unwrap(), push.bytes.len() as u64);
    assert_eq!(client.read(&push.digest).await.unwrap(), push.bytes);
    assert_eq!(client.read_range(&push.digest, 1, 3).await.unwrap(), push.bytes[1..=3]);
    client.delete(push.digest).await.unwrap();
    assert!(!client.has_blob(&push.digest).await);
}

/// Here the source is always in reach, so "upload it" is no answer when it has the blob.
pub(super) async fn a_mounted_blob_is_in_both_repositories(registry: Arc<dyn Registry>) {
    let (source, target) = (Client::new(&registry, "from/here"), Client::new(&registry, "to/there"));
    let digest = source.push_blob("shared").await;
    assert!(target.mount(&digest, "from/here").await.unwrap());
    assert_eq!(target.read(&digest).await.unwrap(), "shared");
    assert_eq!(source.read(&digest).await.unwrap(), "shared");
}

pub(super) async fn a_mounted_blob_outlives_its_source(registry: Arc<dyn Registry>) {
    let (source, target) = (Client::new(&registry, "from"), Client::new(&registry, "to"));
    let digest = source.push_blob("shared").await;
    assert!(target.mount(&digest, "from").await.unwrap());
    source.delete_blob(&digest).await.unwrap();
    assert!(!source.has_blob(&digest).await);
    assert_eq!(target.read(&digest).await.unwrap(), "shared");
}

pub(super) async fn mounting_what_the_source_lacks_changes_nothing(registry: Arc<dyn Registry>) {
    let (elsewhere, target) = (Client::new(&registry, "elsewhere"), Client::new(&registry, "to"));
    let digest = elsewhere.push_blob("not in the source").await;
    assert!(!target.mount(&digest, "unknown").await.unwrap());
    Client::new(&registry, "from").push_blob("something else").await;
    assert!(!target.mount(&digest, "from").await.unwrap());
    assert_refused!(target.stat(&digest).await, Error::NameUnknown { .. });
}

/// Where bytes are not shared, nobody may know who has them: "upload it" is an answer then.
pub(super) async fn mounting_without_a_source_finds_one_or_changes_nothing(registry: Arc<dyn Registry>) {
    let (source, target) = (Client::new(&registry, "some/where"), Client::new(&registry, "to"));
    let digest = source.push_blob("somewhere").await;
    assert!(!target.mount_from_anywhere(&Digest::of(Algorithm::Sha256, b"nowhere")).await.unwrap());
    assert_refused!(target.stat(&digest).await, Error::NameUnknown { .. });
    let mounted = target.mount_from_anywhere(&digest).await.unwrap();
    assert_eq!(target.has_blob(&digest).await, mounted);
}

pub(super) async fn mounting_what_is_there_already_succeeds(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "to");
    let digest = client.push_blob("mine").await;
    assert!(client.mount(&digest, "unknown").await.unwrap());
    assert!(client.mount(&digest, "to").await.unwrap());
    assert_eq!(client.read(&digest).await.unwrap(), "mine");
}

pub(super) async fn a_deleted_blob_is_gone_from_its_repository_alone(registry: Arc<dyn Registry>) {
    let (one, other) = (Client::new(&registry, "a"), Client::new(&registry, "b"));
    let digest = one.push_blob("both").await;
    other.push_blob("both").await;
    one.delete_blob(&digest).await.unwrap();
    assert!(!one.has_blob(&digest).await);
    assert!(one.delete_blob(&digest).await.is_err());
    assert_eq!(other.read(&digest).await.unwrap(), "both");
}

pub(super) async fn a_deleted_blob_can_be_pushed_again(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let digest = client.push_blob("again").await;
    client.delete_blob(&digest).await.unwrap();
    assert_eq!(client.push_blob("again").await, digest);
    assert_eq!(client.read(&digest).await.unwrap(), "again");
}

pub(super) async fn a_blob_that_a_manifest_needs_cannot_be_deleted(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.push_image(1, &[]).await;
    let needed = [Digest::sha256(&blob_of(1, 100)), Digest::sha256(&blob_of(!1, 1000))];
    for digest in &needed {
        match client.delete_blob(digest).await {
            Err(Error::BlobReferenced { manifest, .. }) => assert_eq!(manifest, push.digest),
            other => panic!("expected a refusal, found {other:?}"),
        }
        assert!(client.has_blob(digest).await);
    }
    client.delete(push.digest).await.unwrap();
    for digest in &needed {
        client.delete_blob(digest).await.unwrap();
    }
}
