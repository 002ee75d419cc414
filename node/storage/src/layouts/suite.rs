//! What every store of image layouts must do; run by each.
#![expect(clippy::unwrap_used, reason = "this is test code, which other crates' tests can only reach as a library")]

use bytes::Bytes;
use zot_oci::{ByteRange, Digest, RepositoryName};

use super::{Change, Content, Layouts};
use crate::{
    BlobAddress, BlobKey,
    blobs::{BlobStore, in_memory},
};

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn inline(text: &'static str) -> Content {
    Content::Inline { digest: Digest::sha256(text.as_bytes()), bytes: Bytes::from_static(text.as_bytes()) }
}

/// Runs every sentence of the contract against an empty store of layouts, which shows what is in `blobs`.
pub async fn layouts_suite(layouts: &dyn Layouts, blobs: &dyn BlobStore) {
    a_repository_is_listed_once_it_has_an_index(layouts).await;
    small_content_is_shown_until_it_is_removed(layouts).await;
    stored_content_is_shown_and_kept(layouts, blobs).await;
    content_that_is_not_what_its_name_says_is_told(layouts).await;
    an_index_is_kept_beside_what_replaces_it(layouts).await;
}

async fn a_repository_is_listed_once_it_has_an_index(layouts: &dyn Layouts) {
    layouts.apply(&name("listed/a"), vec![Change::Add(inline("x"))]).await.unwrap();
    assert_eq!(layouts.repositories().await.unwrap(), []);
    for index in ["{}", "[1]"] {
        layouts.write_index(&name("listed/a"), Bytes::from_static(index.as_bytes())).await.unwrap();
        layouts.sync().await.unwrap();
        assert_eq!(layouts.repositories().await.unwrap(), [name("listed/a")]);
        assert_eq!(layouts.index(&name("listed/a")).await.unwrap(), index);
    }
    layouts.write_index(&name("listed"), Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(layouts.repositories().await.unwrap().len(), 2);
}

async fn small_content_is_shown_until_it_is_removed(layouts: &dyn Layouts) {
    let (name, content) = (name("small"), inline("abc"));
    let digest = *content.digest();
    assert_eq!(layouts.read(&name, &digest).await.unwrap(), None);
    layouts.apply(&name, vec![Change::Add(content.clone()), Change::Add(content)]).await.unwrap();
    assert_eq!(layouts.read(&name, &digest).await.unwrap().unwrap(), "abc");
    let found = layouts.contents(&name).await.unwrap();
    assert_eq!(found.iter().map(|found| (found.digest, found.size)).collect::<Vec<_>>(), [(digest, 3)]);
    layouts.apply(&name, vec![Change::Remove(digest), Change::Remove(digest)]).await.unwrap();
    assert_eq!(layouts.contents(&name).await.unwrap(), []);
}

async fn stored_content_is_shown_and_kept(layouts: &dyn Layouts, blobs: &dyn BlobStore) {
    let (name, bytes) = (name("stored"), Bytes::from(vec![7; 100_000]));
    let (digest, size) = (Digest::sha256(&bytes), bytes.len() as u64);
    let key = BlobKey::shared(&digest);
    blobs.put(&key, bytes.clone()).await.unwrap();
    let content = Content::Stored { digest, at: key.clone().into(), size, bytes: None };
    layouts.apply(&name, vec![Change::Add(content)]).await.unwrap();
    let found = layouts.contents(&name).await.unwrap();
    assert_eq!(found.iter().map(|found| (found.digest, found.size)).collect::<Vec<_>>(), [(digest, size)]);

    assert!(layouts.is_intact(&name, &digest).await.unwrap());
    let place = layouts.keep(&name, &digest, &key).await.unwrap();
    let pieces = blobs.read(&BlobAddress { key, place }, size, ByteRange::whole(size).unwrap()).await.unwrap();
    let read: Vec<Bytes> = futures::TryStreamExt::try_collect(in_memory(pieces)).await.unwrap();
    assert!(read.concat() == bytes);
}

async fn content_that_is_not_what_its_name_says_is_told(layouts: &dyn Layouts) {
    let (name, cut) = (name("cut"), Digest::sha256(b"whole"));
    let whole = inline("another");
    let contents = [Content::Inline { digest: cut, bytes: Bytes::from_static(b"who") }, whole.clone()];
    layouts.apply(&name, contents.map(Change::Add).to_vec()).await.unwrap();
    assert!(!layouts.is_intact(&name, &cut).await.unwrap());
    assert!(layouts.is_intact(&name, whole.digest()).await.unwrap());
    assert!(!layouts.is_intact(&name, &Digest::sha256(b"not there")).await.unwrap());
}

async fn an_index_is_kept_beside_what_replaces_it(layouts: &dyn Layouts) {
    let name = name("found");
    for index in ["[1]", "[2]"] {
        layouts.write_index(&name, Bytes::from_static(index.as_bytes())).await.unwrap();
        assert!(layouts.keep_index(&name).await.unwrap().ends_with("found/.index.json.zot"));
        assert_eq!(layouts.index(&name).await.unwrap(), index);
    }
}
