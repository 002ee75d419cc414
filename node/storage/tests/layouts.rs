//! Image layouts follow the rows, and rows can be made from layouts.

#![cfg(test)]

use std::{fs, path::Path, sync::Arc};

use serde_json::Value;
use zot_contract::{
    Registry,
    suite::{
        Client,
        content::{CONFIG, Document, LAYER, blob_of, describe},
    },
};
use zot_storage::{Local, LocalOptions};

struct Store {
    local: Local,
    registry: Arc<dyn Registry>,
}

fn options(root: &Path, dedupe: bool) -> LocalOptions {
    LocalOptions { root: root.to_owned(), durable: false, dedupe }
}

async fn open(root: &Path, dedupe: bool) -> Store {
    let local = Local::open(&options(root, dedupe), &|_, _| {}).await.unwrap();
    let registry = Arc::new(local.engine.clone());
    Store { local, registry }
}

async fn close(store: Store) {
    store.local.engine.close(std::time::Duration::MAX).await.unwrap();
}

/// The tags of a layout's index, sorted; untagged manifests as empty text.
fn index(root: &Path, repository: &str) -> Vec<String> {
    let index: Value = serde_json::from_slice(&fs::read(root.join(repository).join("index.json")).unwrap()).unwrap();
    let tag = |manifest: &Value| manifest["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or_default().to_owned();
    let mut tags: Vec<String> = index["manifests"].as_array().unwrap().iter().map(tag).collect();
    tags.sort();
    tags
}

#[tokio::test]
async fn a_layout_shows_every_manifest_once_for_each_tag() {
    for dedupe in [true, false] {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path(), dedupe).await;
        let client = Client::new(&store.registry, "a/b");
        client.push_image(1, &["v1", "latest"]).await;
        let untagged = client.push_image(2, &[]).await;
        store.local.engine.project().await.unwrap();
        assert_eq!(index(root.path(), "a/b"), ["", "latest", "v1"]);

        client.delete(untagged.digest).await.unwrap();
        client.delete("v1".parse::<zot_oci::Tag>().unwrap()).await.unwrap();
        store.local.engine.project().await.unwrap();
        assert_eq!(index(root.path(), "a/b"), ["latest"]);
        assert!(!root.path().join(format!("a/b/blobs/sha256/{}", untagged.digest.hex())).exists());
    }
}

#[tokio::test]
async fn large_blobs_are_on_disk_once() {
    use std::os::unix::fs::MetadataExt;
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path(), true).await;
    let layer = blob_of(7, 100_000);
    for repository in ["one", "two"] {
        let client = Client::new(&store.registry, repository);
        client.push_blob(layer.clone()).await;
        let image = Document::image(&describe(CONFIG, &layer), &[describe(LAYER, &layer)]);
        client.put(image.push(&["latest"])).await.unwrap();
    }
    store.local.engine.project().await.unwrap();
    let hex = zot_oci::Digest::sha256(&layer).hex();
    let inode = |path: String| fs::metadata(root.path().join(path)).unwrap().ino();
    assert_eq!(inode(format!("one/blobs/sha256/{hex}")), inode(format!("two/blobs/sha256/{hex}")));
}

#[tokio::test]
async fn a_layout_is_never_the_only_place_of_anything() {
    for dedupe in [true, false] {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path(), dedupe).await;
        let client = Client::new(&store.registry, "a");
        let layer = blob_of(3, 100_000);
        client.push_blob(layer.clone()).await;
        let image = Document::image(&describe(CONFIG, &layer), &[describe(LAYER, &layer)]).annotation("large", &"x".repeat(50_000));
        let push = image.push(&["v1"]);
        client.put(push.clone()).await.unwrap();
        store.local.engine.project().await.unwrap();

        fs::remove_dir_all(root.path().join("a")).unwrap();
        assert_eq!(client.read(&zot_oci::Digest::sha256(&layer)).await.unwrap(), layer);
        assert_eq!(client.get(push.digest).await.unwrap().bytes, push.bytes);
    }
}

#[tokio::test]
async fn lost_metadata_comes_back_from_the_layouts() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path(), true).await;
    let client = Client::new(&store.registry, "a");
    let image = client.push_image(1, &["v1"]).await;
    Client::new(&store.registry, "a/b").push_image(2, &["v2"]).await;
    close(store).await;

    let rebuilt = Local::rebuild(&options(root.path(), true), &|_, _| {}).await.unwrap();
    assert_eq!((rebuilt.repositories, rebuilt.manifests, rebuilt.tags, rebuilt.damaged), (2, 2, 2, 0));
    let store = open(root.path(), true).await;
    assert_eq!(store.local.adopted, None);
    let client = Client::new(&store.registry, "a");
    assert_eq!(client.get("v1".parse::<zot_oci::Tag>().unwrap()).await.unwrap().bytes, image.bytes);
}

#[tokio::test]
async fn a_second_process_is_told_that_the_directory_is_in_use() {
    let root = tempfile::tempdir().unwrap();
    let _store = open(root.path(), true).await;
    let error = Local::open(&options(root.path(), true), &|_, _| {}).await.unwrap_err();
    assert!(error.to_string().contains("in use by another process"), "{error}");
}
