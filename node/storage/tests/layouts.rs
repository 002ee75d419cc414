//! Image layouts follow the rows, and rows can be made from layouts.

#![cfg(test)]

use std::{fs, path::Path, sync::Arc};

use serde_json::{Value, json};
use zot_contract::{
    ManifestPush, Registry,
    suite::{
        Client,
        content::{CONFIG, Document, LAYER, blob_of, describe},
    },
};
use zot_oci::{Descriptor, Digest};
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

/// Writes an image layout as another program would: files by the digest that they are named by, and the entries of its index.
fn write_layout(root: &Path, repository: &str, files: &[(Digest, &[u8])], entries: Value) {
    let layout = root.join(repository);
    fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(layout.join("index.json"), json!({"schemaVersion": 2, "manifests": entries}).to_string()).unwrap();
    for (digest, bytes) in files {
        fs::write(layout.join(format!("blobs/sha256/{}", digest.hex())), bytes).unwrap();
    }
}

/// The entry of an index for a manifest with a tag.
fn entry(push: &ManifestPush, tag: &str) -> Value {
    let annotations = [("org.opencontainers.image.ref.name".to_owned(), tag.to_owned())].into();
    json!(Descriptor { annotations, ..describe(push.media_type.as_str(), &push.bytes) })
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
async fn a_repository_without_manifests_outlives_a_rebuild() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path(), true).await;
    let client = Client::new(&store.registry, "a");
    let image = client.push_image(1, &["v1"]).await;
    client.delete(image.digest).await.unwrap();
    assert_eq!(client.repositories().await, ["a"]);
    drop(client);
    close(store).await;
    Local::rebuild(&options(root.path(), true), &|_, _| {}).await.unwrap();
    let store = open(root.path(), true).await;
    assert_eq!(Client::new(&store.registry, "a").repositories().await, ["a"]);
}

#[tokio::test]
async fn a_file_that_no_manifest_names_is_a_blob_only_if_it_is_whole() {
    let layer = blob_of(1, 100_000);
    let digest = Digest::sha256(&layer);
    let image = Document::image(&describe(CONFIG, &layer), &[]).push(&[]);
    for dedupe in [true, false] {
        for [named, cut, whole] in [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]] {
            let root = tempfile::tempdir().unwrap();
            let files: [(Digest, &[u8]); 2] = [(digest, &layer), (image.digest, &image.bytes)];
            write_layout(root.path(), named, &files, json!([entry(&image, "v1")]));
            write_layout(root.path(), cut, &[(digest, &layer[..50_000])], json!([]));
            write_layout(root.path(), whole, &[(digest, &layer)], json!([]));
            let store = open(root.path(), dedupe).await;
            assert_eq!(store.local.adopted.map(|adopted| (adopted.blobs, adopted.damaged)), Some((2, 1)));
            for name in [named, whole] {
                assert_eq!(Client::new(&store.registry, name).read(&digest).await.unwrap(), layer);
            }
            assert!(!Client::new(&store.registry, cut).has_blob(&digest).await);
        }
    }
}

#[tokio::test]
async fn a_size_that_a_manifest_has_wrong_costs_no_blob() {
    let (config, layer) = (blob_of(1, 100), blob_of(2, 100_000));
    let digest = Digest::sha256(&layer);
    let image = |size: u64| {
        let layer = Descriptor { size, ..describe(LAYER, &layer) };
        Document::image(&describe(CONFIG, &config), &[layer]).push(&[])
    };
    let (right, wrong) = (image(100_000), image(1));
    for tags in [vec![(&wrong, "wrong")], vec![(&right, "right"), (&wrong, "wrong")]] {
        let root = tempfile::tempdir().unwrap();
        let mut files: Vec<(Digest, &[u8])> = vec![(Digest::sha256(&config), &config), (digest, &layer)];
        files.extend(tags.iter().map(|(push, _)| (push.digest, push.bytes.as_ref())));
        write_layout(root.path(), "a", &files, tags.iter().map(|(push, tag)| entry(push, tag)).collect());
        let store = open(root.path(), true).await;
        assert_eq!(store.local.adopted.map(|adopted| (adopted.manifests, adopted.damaged)), Some((tags.len(), 0)));
        assert_eq!(Client::new(&store.registry, "a").read(&digest).await.unwrap(), layer);
    }
}

#[tokio::test]
async fn an_index_that_is_not_all_of_use_is_kept_as_it_was_found() {
    let config = blob_of(1, 100);
    let image = Document::image(&describe(CONFIG, &config), &[]).push(&[]);
    let absent = Document::index(&[]).push(&[]);
    let files: [(Digest, &[u8]); 2] = [(Digest::sha256(&config), &config), (image.digest, &image.bytes)];
    let strange = json!(describe("text/plain", &image.bytes));
    for (unusable, damaged) in [(None, 0), (Some(entry(&image, "no/tag")), 1), (Some(entry(&absent, "absent")), 1), (Some(strange), 0)] {
        let root = tempfile::tempdir().unwrap();
        let entries = [entry(&image, "v1")].into_iter().chain(unusable).collect();
        write_layout(root.path(), "a", &files, entries);
        let [index, kept] = ["index.json", ".index.json.zot"].map(|file| root.path().join("a").join(file));
        let found = fs::read(&index).unwrap();
        let store = open(root.path(), true).await;
        assert_eq!(store.local.adopted.map(|adopted| adopted.damaged), Some(damaged));
        Client::new(&store.registry, "a").push_image(2, &["v2"]).await;
        store.local.engine.project().await.unwrap();
        assert_ne!(fs::read(&index).unwrap(), found);
        assert_eq!(fs::read(&kept).ok(), (damaged > 0).then_some(found));
    }
}

#[tokio::test]
async fn a_second_process_is_told_that_the_directory_is_in_use() {
    let root = tempfile::tempdir().unwrap();
    let _store = open(root.path(), true).await;
    let error = Local::open(&options(root.path(), true), &|_, _| {}).await.unwrap_err();
    assert!(error.to_string().contains("in use by another process"), "{error}");
}
