//! Calls that are refused, lost, late or not answered.

use std::time::{Duration, Instant};

use zot_dynamodb::{DynamoMetadata, Operation, Options};
use zot_services::{DynamoDb, process::Signal};
use zot_storage::{
    Error,
    metadata::{Expect, Key, Metadata, Outcome, Scan, Transaction},
};

use crate::{available, one_table, open, options, proxy::Fault, proxy::Proxy, put, server, tag, told, version};

/// A store behind a proxy on which calls of `operation` will suffer faults.
async fn behind_proxy(endpoint: &str, operation: &str) -> (DynamoMetadata, Proxy) {
    let proxy = Proxy::start(endpoint, operation, Vec::new()).await;
    (open(&one_table(&proxy.endpoint())).await, proxy)
}

/// The same, with a store that gives up no call for its time.
async fn patient_behind_proxy(endpoint: &str, operation: &str) -> (DynamoMetadata, Proxy) {
    let proxy = Proxy::start(endpoint, operation, Vec::new()).await;
    let options = Options { call_timeout: Duration::from_secs(120), ..options() };
    (DynamoMetadata::open(&one_table(&proxy.endpoint()), options).await.unwrap(), proxy)
}

async fn delete(store: &dyn Metadata, key: Key, expect: Expect) -> zot_storage::Result<Outcome> {
    let mut transaction = Transaction::new();
    transaction.delete(key, expect);
    store.commit(transaction).await
}

/// How many calls of `operation` are made by `work`.
async fn calls<T>(store: &DynamoMetadata, operation: Operation, work: impl Future<Output = T>) -> (u64, T) {
    let before = store.calls();
    let done = work.await;
    (store.calls().since(&before).of(operation), done)
}

async fn value(store: &dyn Metadata, key: &Key) -> Option<String> {
    let row = store.get(key).await.unwrap()?;
    Some(String::from_utf8(row.value.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_answer_was_lost_is_applied_once() {
    let Some(server) = server("faults::a_transaction_whose_answer_was_lost_is_applied_once").await else { return };
    let (store, proxy) = behind_proxy(&server.endpoint(), "TransactWriteItems").await;
    let key = tag("lost", "v1");
    proxy.plan(&[Fault::LoseAnswer]);
    assert_eq!(put(&store, key.clone(), Expect::Absent, "1").await.unwrap(), Outcome::Committed);
    proxy.plan(&[Fault::LoseAnswer, Fault::LoseAnswer]);
    let before = version(&store, &key).await;
    assert_eq!(delete(&store, key.clone(), Expect::Version(before)).await.unwrap(), Outcome::Committed);
    assert_eq!(value(&store, &key).await, None);
    assert_eq!(store.calls().of(Operation::TransactWriteItems), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_arrives_late_undoes_nothing() {
    let Some(server) = server("faults::an_attempt_that_arrives_late_undoes_nothing").await else { return };
    let (store, proxy) = behind_proxy(&server.endpoint(), "TransactWriteItems").await;
    let key = tag("late", "v1");
    proxy.plan(&[Fault::Delay]);
    assert_eq!(put(&store, key.clone(), Expect::Anything, "first").await.unwrap(), Outcome::Committed);
    assert_eq!(put(&store, key.clone(), Expect::Anything, "second").await.unwrap(), Outcome::Committed);
    let answers = proxy.deliver().await;
    assert!(answers.len() == 1 && answers[0].starts_with("HTTP/1.1 200"), "{answers:?}");
    assert_eq!(value(&store, &key).await.as_deref(), Some("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_a_version_whose_answer_was_lost_is_found_again() {
    let Some(server) = server("faults::a_write_of_a_version_whose_answer_was_lost_is_found_again").await else { return };
    let (store, proxy) = behind_proxy(&server.endpoint(), "UpdateItem").await;
    let key = tag("found", "v1");
    put(&store, key.clone(), Expect::Absent, "1").await.unwrap();
    let first = version(&store, &key).await;
    proxy.plan(&[Fault::LoseAnswer]);
    let (made, outcome) = calls(&store, Operation::UpdateItem, put(&store, key.clone(), Expect::Version(first), "2")).await;
    assert_eq!((made, outcome.unwrap()), (2, Outcome::Committed));
    // Lost on its way there, it is made again; late, it finds another version.
    let second = version(&store, &key).await;
    proxy.plan(&[Fault::Delay]);
    assert_eq!(put(&store, key.clone(), Expect::Version(second), "3").await.unwrap(), Outcome::Committed);
    assert!(proxy.deliver().await[0].starts_with("HTTP/1.1 400"));
    assert_eq!(value(&store, &key).await.as_deref(), Some("3"));
    assert_eq!(put(&store, key, Expect::Version(second), "4").await.unwrap(), Outcome::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_nobody_can_tell_is_neither_of_both() {
    let Some(server) = server("faults::an_outcome_that_nobody_can_tell_is_neither_of_both").await else { return };
    let (store, proxy) = behind_proxy(&server.endpoint(), "UpdateItem").await;
    let key = tag("untold", "v1");
    put(&store, key.clone(), Expect::Absent, "1").await.unwrap();
    let first = version(&store, &key).await;
    // Somebody else was faster, and the answer to that was lost: had it been ours, it would look the same.
    put(&store, key.clone(), Expect::Anything, "theirs").await.unwrap();
    proxy.plan(&[Fault::LoseAnswer]);
    let error = put(&store, key.clone(), Expect::Version(first), "ours").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { what: "metadata", .. }), "{}", told(&error));
    assert!(told(&error).contains("it is not known whether the change was applied"), "{}", told(&error));
    assert_eq!(value(&store, &key).await.as_deref(), Some("theirs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmet_condition_after_a_lost_attempt_is_a_conflict_only_if_it_stays_unmet() {
    let Some(server) = server("faults::an_unmet_condition_after_a_lost_attempt_is_a_conflict_only_if_it_stays_unmet").await else { return };
    let (store, proxy) = behind_proxy(&server.endpoint(), "TransactWriteItems").await;
    let key = tag("unmet", "v1");
    put(&store, key.clone(), Expect::Absent, "1").await.unwrap();
    proxy.plan(&[Fault::Delay]);
    assert_eq!(delete(&store, key.clone(), Expect::Version(u64::MAX)).await.unwrap(), Outcome::Conflict);
    proxy.deliver().await;
    assert_eq!(value(&store, &key).await.as_deref(), Some("1"));
    // This one may still come true when it arrives.
    proxy.plan(&[Fault::Delay]);
    let error = put(&store, key.clone(), Expect::Absent, "2").await.unwrap_err();
    assert!(told(&error).contains("it is not known whether the change was applied"), "{}", told(&error));
    delete(&store, key.clone(), Expect::Present).await.unwrap();
    proxy.deliver().await;
    assert_eq!(value(&store, &key).await.as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_that_pass_are_waited_for() {
    let Some(server) = server("faults::refusals_that_pass_are_waited_for").await else { return };
    let (store, proxy) = patient_behind_proxy(&server.endpoint(), "TransactWriteItems").await;
    let throttled = Fault::Refuse(400, "ProvisionedThroughputExceededException");
    proxy.plan(&[throttled, Fault::Refuse(400, "TransactionInProgressException"), Fault::Refuse(500, "InternalServerError"), throttled]);
    assert_eq!(put(&store, tag("passing", "v1"), Expect::Absent, "1").await.unwrap(), Outcome::Committed);
    assert_eq!(store.calls().of(Operation::TransactWriteItems), 5);
    proxy.plan(&[Fault::Refuse(400, "TransactionCanceledException"); 3]);
    assert_eq!(put(&store, tag("passing", "v1"), Expect::Present, "2").await.unwrap(), Outcome::Committed);
    assert_eq!(store.calls().of(Operation::TransactWriteItems), 9);
    proxy.plan(&[Fault::Refuse(400, "AccessDeniedException")]);
    let error = put(&store, tag("passing", "v1"), Expect::Present, "2").await.unwrap_err();
    assert_eq!(told(&error), "call TransactWriteItems of DynamoDB: DynamoDB refused: AccessDeniedException: not now");
    assert_eq!(store.calls().of(Operation::TransactWriteItems), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_batch_leaves_unread_are_not_taken_for_absent() {
    let Some(server) = server("faults::rows_that_a_batch_leaves_unread_are_not_taken_for_absent").await else { return };
    let (store, proxy) = behind_proxy(&server.endpoint(), "BatchGetItem").await;
    let keys = [tag("unread", "v1"), tag("unread", "v2")];
    put(&store, keys[0].clone(), Expect::Absent, "1").await.unwrap();
    proxy.plan(&[Fault::LeaveUnread, Fault::LeaveUnread]);
    let rows = store.get_many(&keys).await.unwrap();
    assert_eq!(rows.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    assert_eq!(store.calls().of(Operation::BatchGetItem), 3);
    proxy.plan(&vec![Fault::LeaveUnread; 10_000]);
    let error = store.get_many(&keys).await.unwrap_err();
    assert_eq!(told(&error), "metadata is not available: DynamoDB left keys of a batch unread");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_that_lasts_is_told_in_time_and_not_made_worse() {
    let Some(server) = server("faults::throttling_that_lasts_is_told_in_time_and_not_made_worse").await else { return };
    let (store, proxy) = patient_behind_proxy(&server.endpoint(), "GetItem").await;
    proxy.plan(&vec![Fault::Refuse(400, "ThrottlingException"); 10_000]);
    let key = tag("throttled", "v1");
    let all = futures::future::join_all((0..200).map(|_| store.get(&key)));
    let (made, results) = calls(&store, Operation::GetItem, all).await;
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Unavailable { what: "metadata", retry_after, .. } if !retry_after.is_zero()), "{}", told(&error));
    }
    // All calls together may try again a hundred times.
    assert!((200..=300).contains(&made), "{made}");
}

/// Options under which a call is given up soon.
fn impatient() -> Options {
    Options { attempt_timeout: Duration::from_millis(500), call_timeout: Duration::from_secs(2), ..options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_or_dies_costs_time_and_no_rows() {
    let test = "faults::a_server_that_hangs_or_dies_costs_time_and_no_rows";
    let Some(()) = available(test) else { return };
    let mut server = DynamoDb::start().await;
    let config = one_table(&server.endpoint());
    put(&open(&config).await, tag("kept", "v1"), Expect::Absent, "1").await.unwrap();
    let store = DynamoMetadata::open(&config, impatient()).await.unwrap();

    server.process().signal(Signal::STOP);
    // The signal reaches one thread after the other.
    zot_services::wait::until("the server hangs", async || store.get(&tag("kept", "v1")).await.is_err()).await;
    let begun = Instant::now();
    let (first, scan) = (tag("kept", "v1"), Scan::Tags("kept".parse().unwrap(), None));
    let (read, listed, written) =
        tokio::join!(store.get(&first), store.scan(&scan, 10), put(&store, tag("kept", "v2"), Expect::Absent, "2"));
    for error in [read.unwrap_err(), listed.unwrap_err(), written.unwrap_err()] {
        assert!(matches!(error, Error::Unavailable { .. }), "{}", told(&error));
    }
    // Far more than the two seconds and the last attempt, for machines under load; without a bound it would never end.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());

    server.process().signal(Signal::CONT);
    zot_services::wait::until("metadata is available again", async || store.get(&tag("kept", "v1")).await.is_ok()).await;
    let second = value(&store, &tag("kept", "v2")).await;
    assert!(second.is_none() || second.as_deref() == Some("2"));
    // The local server answers a moment before its disk has the last write, so that another follows the one that must be there.
    for (name, value) in [("v3", "3"), ("v4", "4")] {
        zot_services::wait::until("rows can be written again", async || {
            put(&store, tag("kept", name), Expect::Anything, value).await.is_ok()
        })
        .await;
    }

    server.kill();
    let error = store.get(&tag("kept", "v3")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }) && told(&error).contains("did not answer"), "{}", told(&error));
    server.restart().await;
    zot_services::wait::until("metadata is available again", async || store.get(&tag("kept", "v1")).await.is_ok()).await;
    assert_eq!(value(&store, &tag("kept", "v1")).await.as_deref(), Some("1"));
    assert_eq!(value(&store, &tag("kept", "v3")).await.as_deref(), Some("3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_put_right() {
    let Some(server) = server("faults::a_clock_that_is_wrong_is_put_right").await else { return };
    for ahead in [3600, -3600] {
        let proxy = Proxy::start(&server.endpoint(), "", Vec::new()).await;
        proxy.set_clock(ahead);
        let store = open(&one_table(&proxy.endpoint())).await;
        let refused = proxy.untimely();
        assert!(refused > 0, "the first call is signed with this machine's time");
        let key = tag("timely", "v1");
        assert_eq!(put(&store, key.clone(), Expect::Absent, "1").await.unwrap(), Outcome::Committed);
        assert_eq!(value(&store, &key).await.as_deref(), Some("1"));
        assert_eq!(proxy.untimely(), refused, "{ahead}: what was learnt once is not asked again");

        // Somebody sets the clock: a change that is refused for its time was not made, and is made once.
        proxy.set_clock(0);
        let first = Expect::Version(version(&store, &key).await);
        proxy.set_clock(ahead);
        assert_eq!(put(&store, key.clone(), first, "2").await.unwrap(), Outcome::Committed);
        assert_eq!(put(&store, key.clone(), first, "3").await.unwrap(), Outcome::Conflict);
        assert!(proxy.untimely() > refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_wrong_is_not_a_clock_that_is() {
    let Some(server) = server("faults::a_secret_that_is_wrong_is_not_a_clock_that_is").await else { return };
    let (store, proxy) = behind_proxy(&server.endpoint(), "GetItem").await;
    proxy.plan(&[Fault::Refuse(400, "InvalidSignatureException")]);
    let (made, got) = calls(&store, Operation::GetItem, store.get(&tag("secret", "v1"))).await;
    assert_eq!(made, 1, "nothing is gained by asking again");
    assert!(told(&got.unwrap_err()).contains("InvalidSignatureException"));
}
