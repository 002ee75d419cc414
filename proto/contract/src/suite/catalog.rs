//! What holds for the list of repositories.

use std::sync::Arc;

use super::{
    Client,
    content::{CONFIG, Document, describe},
};
use crate::{Chunk, Registry};

pub(super) async fn a_repository_is_listed_once_it_had_a_manifest(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "listed");
    assert!(client.repositories().await.is_empty());
    let upload = client.open().await;
    client.append(upload, Chunk::of("abc")).await.unwrap();
    let blob = client.push_blob("blob").await;
    // Whether it is mounted or has to be uploaded: neither lists the repository.
    client.repository("mounted").mount(&blob, "listed").await.unwrap();
    assert!(client.repositories().await.is_empty());
    client.push_image(1, &[]).await;
    assert_eq!(client.repositories().await, ["listed"]);
}

pub(super) async fn an_emptied_repository_stays_listed(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a/b");
    let push = client.push_image(1, &["v1"]).await;
    client.delete("v1").await.unwrap();
    client.delete(push.digest).await.unwrap();
    assert_eq!(client.repositories().await, ["a/b"]);
}

pub(super) async fn a_refused_manifest_lists_no_repository(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = Document::image(&describe(CONFIG, b"absent"), &[]).push(&["v1"]);
    assert!(client.put(push).await.is_err());
    assert!(client.repositories().await.is_empty());
}
