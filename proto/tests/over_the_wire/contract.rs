//! The contract's suite over the wire.

use std::sync::Arc;

use zot_contract::{
    Fetched, MemoryRegistry, Registry,
    suite::{Client, Fixture, registry_suite},
};
use zot_storage::Engine;

use crate::{older::Older, wire::Wire};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_the_contract_over_the_wire() {
    registry_suite(async || Wire::to(Arc::new(MemoryRegistry::default())).await.into_fixture()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_keeps_the_contract_over_the_wire() {
    registry_suite(async || Wire::to(Arc::new(Engine::in_memory())).await.into_fixture()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept_with_a_node_that_knows_no_lanes() {
    registry_suite(async || {
        let older = Older::start(Arc::new(MemoryRegistry::default())).await;
        Fixture::new(older.remote()).keep(older)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_whose_blobs_are_elsewhere_keeps_the_contract_over_the_wire() {
    let elsewhere = || Arc::new(MemoryRegistry::with_blobs_elsewhere("http://elsewhere/"));
    registry_suite(async || Wire::to(elsewhere()).await.into_fixture()).await;
}

#[tokio::test]
async fn where_a_blob_is_comes_over_the_wire() {
    let wire = Wire::to(Arc::new(MemoryRegistry::with_blobs_elsewhere("https://elsewhere/b?key="))).await;
    let registry: Arc<dyn Registry> = Arc::new(wire.remote.clone());
    let client = Client::new(&registry, "a");
    let digest = client.push_blob("abc").await;
    match registry.fetch_blob(&client.cx, &client.repository, &digest).await.unwrap() {
        Fetched::Elsewhere(url) => assert_eq!(url.as_str(), format!("https://elsewhere/b?key={digest}")),
        Fetched::Here(body) => panic!("{body:?}"),
    }
    // Who reads gets bytes, whatever can be fetched elsewhere.
    assert_eq!(client.read(&digest).await.unwrap(), "abc");
}
