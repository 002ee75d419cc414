//! The contract's suite over the wire.

use std::sync::Arc;

use zot_contract::{
    MemoryRegistry,
    suite::{Fixture, registry_suite},
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
