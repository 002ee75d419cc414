//! The suites that every store and every holder passes.

use std::sync::Arc;

use zot_contract::suite::{Fixture, registry_suite};
use zot_s3::{Limits, S3Blobs};
use zot_storage::{Engine, metadata::MemoryMetadata, sessions::MemorySessions, testing::blob_store_suite};

use crate::server::{config, needs_server, open, shared};

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_contract_of_the_port() {
    needs_server!("suites::a_bucket_keeps_the_contract_of_the_port");
    let server = shared().await;
    blob_store_suite(&open(&config(&server.endpoint())).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_hardly_any_memory_keeps_it_too() {
    needs_server!("suites::a_store_with_hardly_any_memory_keeps_it_too");
    let server = shared().await;
    let limits = Limits { upload_bytes_max: 1, kept_bytes_max: 0, flight_bytes_max: 0, ..Limits::default() };
    blob_store_suite(&S3Blobs::open(&config(&server.endpoint()), limits).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_over_a_bucket_keeps_the_contract() {
    needs_server!("suites::an_engine_over_a_bucket_keeps_the_contract");
    let server = shared().await;
    let endpoint = server.endpoint();
    registry_suite(async || {
        let blobs = Arc::new(open(&config(&endpoint)).await);
        let (metadata, sessions) = (Arc::<MemoryMetadata>::default(), Arc::<MemorySessions>::default());
        Fixture::new(Engine::new(metadata, blobs, sessions, true))
    })
    .await;
}
