//! The contract's suite over every form of the engine.

#![cfg(test)]

use zot_contract::suite::{Fixture, registry_suite};
use zot_storage::{Engine, Local, LocalOptions};

async fn local(durable: bool, dedupe: bool) -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let options = LocalOptions { root: root.path().to_owned(), durable, dedupe };
    let local = Local::open(&options, &|_, _| {}).await.unwrap();
    Fixture::new(local.engine.clone()).keep(local).keep(root)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_in_memory_keeps_the_contract() {
    registry_suite(async || Fixture::new(Engine::in_memory())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_on_disk_keeps_the_contract() {
    registry_suite(async || local(true, true).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_without_commit_keeps_the_contract() {
    registry_suite(async || local(false, true).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_without_dedupe_keeps_the_contract() {
    registry_suite(async || local(true, false).await).await;
}
