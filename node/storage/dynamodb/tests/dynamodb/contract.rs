//! The suites of the ports, and an engine over the tables with the calls that it makes.

use std::sync::Arc;

use zot_contract::{
    Registry,
    suite::{Client, Fixture, content, registry_suite},
};
use zot_dynamodb::{Calls, DynamoMetadata, Operation};
use zot_storage::{
    Engine,
    blobs::MemoryBlobs,
    metadata::{Expect, Outcome},
    sessions::MemorySessions,
    testing::metadata_suite,
};

use crate::{one_table, open, put, server, tables, tag, version};

#[tokio::test(flavor = "multi_thread")]
async fn tables_keep_the_contract_of_metadata() {
    let Some(server) = server("contract::tables_keep_the_contract_of_metadata").await else { return };
    metadata_suite(&open(&tables(&server.endpoint())).await).await;
    metadata_suite(&open(&one_table(&server.endpoint())).await).await;
}

fn engine(metadata: Arc<DynamoMetadata>) -> Engine {
    Engine::new(metadata, Arc::<MemoryBlobs>::default(), Arc::<MemorySessions>::default(), true)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_over_tables_keeps_the_contract() {
    let Some(server) = server("contract::an_engine_over_tables_keeps_the_contract").await else { return };
    registry_suite(async || Fixture::new(engine(Arc::new(open(&one_table(&server.endpoint())).await)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_writers_that_race_one_wins() {
    let Some(server) = server("contract::of_writers_that_race_one_wins").await else { return };
    let config = tables(&server.endpoint());
    // Two processes, as far as DynamoDB can tell.
    let stores = [open(&config).await, open(&config).await];
    let key = tag("race", "a");
    let race = async |expect| {
        let writers = (0..16).map(|number| put(&stores[number % 2], key.clone(), expect, number.to_string()));
        let outcomes = futures::future::join_all(writers).await;
        outcomes.into_iter().filter(|outcome| *outcome.as_ref().unwrap() == Outcome::Committed).count()
    };
    assert_eq!(race(Expect::Absent).await, 1);
    for _ in 0..5 {
        let current = version(&stores[0], &key).await;
        assert_eq!(race(Expect::Version(current)).await, 1);
    }
    assert_eq!(race(Expect::Present).await, 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_are_pushed_at_once_through_several_processes_are_all_there() {
    let test = "contract::tags_that_are_pushed_at_once_through_several_processes_are_all_there";
    let Some(server) = server(test).await else { return };
    let config = tables(&server.endpoint());
    let blobs = Arc::<MemoryBlobs>::default();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let metadata = Arc::new(open(&config).await);
        let registry: Arc<dyn Registry> = Arc::new(Engine::new(metadata, blobs.clone(), Arc::<MemorySessions>::default(), true));
        clients.push(Client::new(&registry, "app"));
    }
    // All of them need the same blobs, so that their transactions meet at the same rows.
    let image = clients[0].image(1).await;
    let push = async |number: usize| {
        let image = image.clone().annotation("number", &number.to_string());
        clients[number % 3].put(image.push(&[&format!("t{number:02}")])).await
    };
    let pushed = futures::future::join_all((0..24).map(push)).await;
    assert!(pushed.iter().all(Result::is_ok), "{pushed:?}");
    assert_eq!(clients[1].tags().await, (0..24).map(|number| format!("t{number:02}")).collect::<Vec<_>>());
}

/// The calls that `work` makes.
async fn calls<T>(metadata: &DynamoMetadata, what: &str, work: impl Future<Output = T>) -> (Calls, T) {
    let before = metadata.calls();
    let done = work.await;
    let calls = metadata.calls().since(&before);
    println!("{what}: {} calls {calls:?}", calls.total());
    (calls, done)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_and_a_pull_are_few_calls() {
    let Some(server) = server("contract::a_push_and_a_pull_are_few_calls").await else { return };
    let metadata = Arc::new(open(&one_table(&server.endpoint())).await);
    let registry: Arc<dyn Registry> = Arc::new(engine(metadata.clone()));
    let client = Client::new(&registry, "app/web");

    let (pushed, layer) = calls(&metadata, "push of a blob", client.push_blob(content::blob_of(1, 1000))).await;
    assert_eq!((pushed.of(Operation::TransactWriteItems), pushed.total()), (1, 2), "{pushed:?}");
    let image = client.image(2).await;
    let push = image.push(&["v1"]);
    let (pushed, _) = calls(&metadata, "push of a manifest with two blobs", client.put(push.clone())).await;
    assert_eq!((pushed.of(Operation::TransactWriteItems), pushed.total()), (1, 2), "{pushed:?}");
    let (pushed, _) = calls(&metadata, "push of the manifest again", client.put(push.clone())).await;
    assert_eq!((pushed.of(Operation::TransactWriteItems), pushed.total()), (1, 2), "{pushed:?}");
    let operation = zot_contract::Operation { id: zot_contract::OperationId::new(), again: false };
    let attempt = Client { cx: client.cx.clone().attempting(operation), ..client.clone() };
    let (pushed, _) = calls(&metadata, "push of the manifest that others may be asked for", attempt.put(push)).await;
    assert_eq!((pushed.of(Operation::TransactWriteItems), pushed.total()), (1, 2), "{pushed:?}");

    let (pulled, _) = calls(&metadata, "pull of a manifest by tag", client.get("v1")).await;
    assert_eq!((pulled.of(Operation::GetItem), pulled.total()), (2, 2), "{pulled:?}");
    let (pulled, _) = calls(&metadata, "pull of a small blob", client.read(&layer)).await;
    assert_eq!((pulled.of(Operation::GetItem), pulled.total()), (2, 2), "{pulled:?}");
    let (listed, _) = calls(&metadata, "list of tags", client.tags()).await;
    assert_eq!((listed.of(Operation::Query), listed.total()), (1, 1), "{listed:?}");
}
