//! Manifests with more rows than a transaction may change.

use std::sync::Arc;

use zot_contract::{
    Error, ManifestPush,
    suite::{
        Client,
        content::{CONFIG, Document, LAYER, describe},
    },
};
use zot_oci::Digest;

use crate::{Stores, faults::EventfulMetadata};

/// Pushes some blobs, and makes a manifest that needs them.
pub(crate) async fn image(client: &Client, layers: usize, tags: &[&str]) -> (ManifestPush, Vec<Digest>) {
    let contents: Vec<String> = (0..layers).map(|number| format!("layer {number}")).collect();
    let mut digests = Vec::new();
    for content in &contents {
        digests.push(client.push_blob(content.clone()).await);
    }
    let layers: Vec<_> = contents.iter().map(|content| describe(LAYER, content.as_bytes())).collect();
    (Document::image(&describe(CONFIG, contents[0].as_bytes()), &layers).push(tags), digests)
}

#[tokio::test]
async fn a_manifest_of_many_layers_keeps_them_all_until_it_is_deleted() {
    for changes_max in [8, 100, 1000] {
        let client = Stores::limited(changes_max).client("a");
        let (push, blobs) = image(&client, 200, &["v1"]).await;
        client.put(push.clone()).await.unwrap();
        assert_eq!(client.get("v1").await.unwrap().bytes, push.bytes);
        for blob in &blobs {
            let refusal = client.delete_blob(blob).await.unwrap_err();
            assert!(matches!(refusal, Error::BlobReferenced { manifest, .. } if manifest == push.digest), "{refusal:?}");
        }
        client.delete(push.digest).await.unwrap();
        for blob in &blobs {
            client.delete_blob(blob).await.unwrap();
        }
    }
}

#[tokio::test]
async fn who_is_always_too_late_is_told_to_try_again_later() {
    let stores = Stores::new();
    let (push, _) = image(&stores.client("a"), 1, &["v1"]).await;
    let metadata = Arc::new(EventfulMetadata::contended(&stores.metadata));
    let refusal = Stores { metadata, ..stores }.client("a").put(push).await.unwrap_err();
    assert!(matches!(refusal, Error::Unavailable { .. }), "{refusal:?}");
}

#[tokio::test]
async fn a_manifest_may_have_many_tags() {
    for changes_max in [8, 100] {
        let client = Stores::limited(changes_max).client("a");
        let names: Vec<String> = (0..250).map(|number| format!("t{number:03}")).collect();
        let tags: Vec<&str> = names.iter().map(String::as_str).collect();
        let (push, _) = image(&client, 20, &tags).await;
        client.put(push.clone()).await.unwrap();
        assert_eq!(client.tags().await, names);
        client.delete(push.digest).await.unwrap();
        assert_eq!(client.tags().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_index_of_many_children_keeps_them_until_it_is_deleted() {
    let client = Stores::limited(8).client("a");
    let mut children = Vec::new();
    for number in 0..40_u64 {
        let child = Document::index(&[]).annotation("number", &number.to_string());
        client.put(child.push(&[])).await.unwrap();
        children.push(child.descriptor());
    }
    let index = Document::index(&children).push(&["all"]);
    client.put(index.clone()).await.unwrap();
    for child in &children {
        assert!(matches!(client.delete(child.digest).await, Err(Error::ManifestReferenced { .. })));
    }
    client.delete(index.digest).await.unwrap();
    for child in &children {
        client.delete(child.digest).await.unwrap();
    }
}
