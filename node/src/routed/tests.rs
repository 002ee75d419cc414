//! The contract over several stores, and what is particular to routes.

use std::sync::Arc;

use zot_contract::{
    Registry,
    suite::{Client, Fixture, content::blob_of, registry_suite},
};

use super::*;

fn routed() -> Routed {
    // The suite's repositories spread over two stores.
    let routes = [("/b".to_owned(), Engine::in_memory()), ("/a".to_owned(), Engine::in_memory())];
    Routed::new(Engine::in_memory(), routes.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn several_stores_keep_the_contract() {
    registry_suite(async || Fixture::new(routed())).await;
}

#[tokio::test]
async fn the_first_component_chooses_the_store() {
    let registry = routed();
    let stores = ["/a", "/b"].map(|route| registry.routes[route].clone());
    let registry: Arc<dyn Registry> = Arc::new(registry);
    for name in ["a", "a/x", "a/x/y", "b/x", "c/x"] {
        Client::new(&registry, name).push_image(1, &["latest"]).await;
    }
    let [a, b] = stores.map(|store| Arc::new(store) as Arc<dyn Registry>);
    assert_eq!(names(&a).await, ["a/x", "a/x/y"]);
    assert_eq!(names(&b).await, ["b/x"]);
    assert_eq!(names(&registry).await, ["a", "a/x", "a/x/y", "b/x", "c/x"]);
}

#[tokio::test]
async fn blobs_are_not_mounted_from_another_store() {
    let registry: Arc<dyn Registry> = Arc::new(routed());
    let digest = Client::new(&registry, "a/x").push_blob(blob_of(1, 10)).await;
    assert!(!Client::new(&registry, "b/x").mount(&digest, "a/x").await.unwrap());
    assert!(Client::new(&registry, "a/y").mount(&digest, "a/x").await.unwrap());
}

async fn names(registry: &Arc<dyn Registry>) -> Vec<String> {
    let page = zot_contract::PageRequest::first(100);
    let page = registry.list_repositories(&zot_contract::Context::internal(), &page).await.unwrap();
    page.entries.iter().map(ToString::to_string).collect()
}
