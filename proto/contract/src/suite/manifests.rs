//! What holds for manifests.

use std::sync::Arc;

use serde_json::json;
use zot_oci::{Algorithm, Descriptor, Digest, MediaType, media_types};

use super::{
    Client,
    content::{self, CONFIG, Document, LAYER, describe, push_of},
};
use crate::{Error, ManifestPush, Registry};

pub(super) async fn a_manifest_is_served_as_it_was_pushed(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a/b");
    // Unusual white space and an unknown field, which a parser would not give back.
    let bytes = "{ \"x\":1,\n\t\"schemaVersion\" : 2, \"manifests\":[]}\n\n";
    let push = push_of(&media_types::OCI_INDEX, bytes, &["v1"]);
    client.put(push.clone()).await.unwrap();
    for reference in ["v1", &push.digest.to_string()] {
        let stored = client.get(reference).await.unwrap();
        assert_eq!(stored.bytes, bytes);
        assert_eq!((stored.info.digest, stored.info.size), (push.digest, bytes.len() as u64));
        assert_eq!(client.stat_manifest(reference).await.unwrap(), stored.info);
    }
}

pub(super) async fn a_manifest_keeps_its_media_type(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let config = describe(CONFIG, b"{}");
    client.push_blob("{}").await;
    let (image, index) = (json!({ "config": config }), json!({ "manifests": [] }));
    for (media_type, fields) in [
        (media_types::OCI_MANIFEST, image.clone()),
        (media_types::DOCKER_MANIFEST, image),
        (media_types::OCI_INDEX, index.clone()),
        (media_types::DOCKER_MANIFEST_LIST, index),
    ] {
        let push = Document::new(media_type.clone(), fields).push(&["v1"]);
        client.put(push.clone()).await.unwrap();
        assert_eq!(client.stat_manifest("v1").await.unwrap().media_type, media_type);
        assert_eq!(client.get(push.digest).await.unwrap().info.media_type, media_type);
    }
}

pub(super) async fn every_algorithm_identifies_a_manifest(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    for algorithm in Algorithm::ALL {
        let push = Document::index(&[]).push(&["v1"]);
        let digest = Digest::of(algorithm, &push.bytes);
        client.put(ManifestPush { digest, ..push.clone() }).await.unwrap();
        assert_eq!(client.get(digest).await.unwrap().bytes, push.bytes);
        assert_eq!(client.resolve("v1").await, Some(digest));
    }
}

pub(super) async fn an_unknown_manifest_and_an_unknown_repository_are_told_apart(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let digest = Digest::sha256(b"unknown").to_string();
    for reference in ["v1", &digest] {
        assert_refused!(client.get(reference).await, Error::NameUnknown { .. });
        assert_refused!(client.stat_manifest(reference).await, Error::NameUnknown { .. });
        assert_refused!(client.delete(reference).await, Error::NameUnknown { .. });
    }
    client.push_blob("known").await;
    for reference in ["v1", &digest, &Digest::sha256(b"known").to_string()] {
        assert_refused!(client.get(reference).await, Error::ManifestUnknown { .. });
        assert_refused!(client.stat_manifest(reference).await, Error::ManifestUnknown { .. });
        assert_refused!(client.delete(reference).await, Error::ManifestUnknown { .. });
    }
}

pub(super) async fn a_manifest_is_in_one_repository(registry: Arc<dyn Registry>) {
    let (one, other) = (Client::new(&registry, "a"), Client::new(&registry, "b"));
    let push = one.push_image(1, &["v1"]).await;
    other.push_image(2, &["v2"]).await;
    assert_refused!(other.get(push.digest).await, Error::ManifestUnknown { .. });
    assert_refused!(other.get("v1").await, Error::ManifestUnknown { .. });
    assert_refused!(other.stat(&push.digest).await, Error::BlobUnknown { .. });
}

pub(super) async fn what_is_not_a_manifest_is_refused(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let octets: MediaType = media_types::OCTET_STREAM;
    let both = Document::index(&[]).with("layers", json!([]));
    for push in [
        push_of(&media_types::OCI_MANIFEST, "", &["v1"]),
        push_of(&media_types::OCI_INDEX, "{}", &["v1"]),
        push_of(&octets, Document::index(&[]).push(&[]).bytes, &["v1"]),
        both.push(&["v1"]),
    ] {
        assert_refused!(client.put(push).await, Error::ManifestInvalid { .. });
        assert_eq!(client.resolve("v1").await, None);
    }
}

pub(super) async fn bytes_of_another_digest_are_refused(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = Document::index(&[]).push(&["v1"]);
    let wrong = Digest::sha256(b"other");
    match client.put(ManifestPush { digest: wrong, ..push.clone() }).await {
        Err(Error::DigestMismatch { expected, found }) => assert_eq!((expected, found), (wrong, push.digest)),
        other => panic!("expected a refusal, found {other:?}"),
    }
    assert_eq!(client.resolve("v1").await, None);
}

pub(super) async fn config_and_layers_must_be_there(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let (config, layer) = (describe(CONFIG, b"config"), describe(LAYER, b"layer"));
    let push = Document::image(&config, std::slice::from_ref(&layer)).push(&["v1"]);
    client.push_blob("layer").await;
    assert_missing(&client, &push, config.digest).await;
    client.push_blob("config").await;
    client.delete_blob(&layer.digest).await.unwrap();
    assert_missing(&client, &push, layer.digest).await;
    client.push_blob("layer").await;
    client.put(push).await.unwrap();
}

async fn assert_missing(client: &Client, push: &ManifestPush, missing: Digest) {
    match client.put(push.clone()).await {
        Err(Error::ManifestBlobUnknown { digest, .. }) => assert_eq!(digest, missing),
        other => panic!("expected a refusal, found {other:?}"),
    }
    assert_eq!(client.resolve("v1").await, None);
    assert!(!client.has_blob(&push.digest).await);
}

pub(super) async fn config_and_layers_have_the_size_that_is_said(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let inner = Document::index(&[]);
    client.put(inner.push(&[])).await.unwrap();
    client.push_blob("config").await;
    client.push_blob("layer").await;
    let contents = [describe(CONFIG, b"config"), describe(LAYER, b"layer"), inner.descriptor()];
    for wrong in 0..contents.len() {
        let mut said = contents.clone();
        said[wrong].size += 1;
        let push = Document::image(&said[0], &said[1..]).push(&["v1"]);
        assert_refused!(client.put(push).await, Error::ManifestInvalid { .. });
        assert_eq!(client.resolve("v1").await, None);
    }
    // The right size beside it does not make a wrong one right.
    let wrong = Descriptor { size: 4, ..contents[1].clone() };
    let push = Document::image(&contents[0], &[contents[1].clone(), wrong]).push(&["v1"]);
    assert_refused!(client.put(push).await, Error::ManifestInvalid { .. });
    client.put(Document::image(&contents[0], &contents[1..]).push(&["v1"])).await.unwrap();
}

pub(super) async fn a_blob_of_another_repository_does_not_count(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.image(1).await.push(&["v1"]);
    let refused = client.repository("b").put(push).await;
    assert_refused!(refused, Error::ManifestBlobUnknown { .. });
}

pub(super) async fn layers_that_live_elsewhere_need_not_be_there(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    client.push_blob("config").await;
    let layer = describe("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", b"elsewhere");
    let image = Document::image(&describe(CONFIG, b"config"), &[layer]);
    client.put(image.push(&["v1"])).await.unwrap();
}

pub(super) async fn a_manifest_counts_as_a_blob(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let inner = Document::index(&[]);
    client.put(inner.push(&[])).await.unwrap();
    client.push_blob("config").await;
    let outer = Document::image(&describe(CONFIG, b"config"), &[inner.descriptor()]);
    client.put(outer.push(&["v1"])).await.unwrap();
}

pub(super) async fn children_of_an_index_may_be_absent(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let present = client.image(1).await;
    client.put(present.push(&[])).await.unwrap();
    let absent = describe(media_types::OCI_MANIFEST.as_str(), b"absent");
    let index = Document::index(&[absent.clone(), present.descriptor()]);
    client.put(index.push(&["v1"])).await.unwrap();
    assert_eq!(client.resolve("v1").await, Some(index.descriptor().digest));
    assert_refused!(client.get(absent.digest).await, Error::ManifestUnknown { .. });
}

pub(super) async fn a_deleted_manifest_is_gone_with_its_tags(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.push_image(1, &["v1", "v2"]).await;
    let other = client.push_image(2, &["v3"]).await;
    client.delete(push.digest).await.unwrap();
    for reference in ["v1", "v2", &push.digest.to_string()] {
        assert_refused!(client.get(reference).await, Error::ManifestUnknown { .. });
        assert_refused!(client.delete(reference).await, Error::ManifestUnknown { .. });
    }
    assert_eq!(client.tags().await, ["v3"]);
    assert_eq!(client.resolve("v3").await, Some(other.digest));
}

pub(super) async fn a_child_of_an_index_cannot_be_deleted(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let child = client.image(1).await;
    client.put(child.push(&["child"])).await.unwrap();
    let indexes = ["one", "two"].map(|name| Document::index(&[child.descriptor()]).annotation("name", name));
    for index in &indexes {
        client.put(index.push(&[])).await.unwrap();
    }
    for index in &indexes {
        match client.delete(child.descriptor().digest).await {
            Err(Error::ManifestReferenced { digest, .. }) => assert_eq!(digest, child.descriptor().digest),
            other => panic!("expected a refusal, found {other:?}"),
        }
        assert!(client.resolve("child").await.is_some());
        client.delete(index.descriptor().digest).await.unwrap();
    }
    client.delete(child.descriptor().digest).await.unwrap();
    assert_eq!(client.resolve("child").await, None);
}

pub(super) async fn a_deleted_manifest_can_be_pushed_again(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.push_image(1, &["v1"]).await;
    client.delete(push.digest).await.unwrap();
    client.put(push.clone()).await.unwrap();
    assert_eq!(client.get("v1").await.unwrap().bytes, push.bytes);
    assert_eq!(client.tags().await, ["v1"]);
    assert!(client.has_blob(&Digest::sha256(&content::blob_of(1, 100))).await);
}
