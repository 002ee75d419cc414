//! Many rows, large rows, and more than DynamoDB takes.

use bytes::Bytes;
use zot_oci::Digest;
use zot_storage::metadata::{Expect, Key, Kind, Metadata, Outcome, Scan, Transaction};

use crate::{one_table, open, proxy, put, server, tables, tag};

fn keys(rows: Vec<(Key, zot_storage::metadata::Row)>) -> Vec<Key> {
    rows.into_iter().map(|(key, _)| key).collect()
}

/// A transaction that writes `count` tags with `bytes` bytes each, those from `first` on.
fn many(first: usize, count: usize, bytes: usize) -> Transaction {
    let mut transaction = Transaction::new();
    for number in first..first + count {
        transaction.put(tag("many", &format!("t{number:04}")), Expect::Absent, vec![b'x'; bytes]);
    }
    transaction
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_go_on_over_pages_of_a_megabyte() {
    let Some(server) = server("rows::scans_go_on_over_pages_of_a_megabyte").await else { return };
    let store = open(&one_table(&server.endpoint())).await;
    for first in (0..120).step_by(30) {
        assert_eq!(store.commit(many(first, 30, 30_000)).await.unwrap(), Outcome::Committed);
    }
    let all: Vec<Key> = (0..120).map(|number| tag("many", &format!("t{number:04}"))).collect();
    let scan = |after: Option<&str>| Scan::Tags("many".parse().unwrap(), after.map(str::to_owned));
    assert_eq!(keys(store.scan(&scan(None), usize::MAX).await.unwrap()), all);
    assert_eq!(keys(store.scan(&scan(None), 100).await.unwrap()), all[..100]);
    assert_eq!(keys(store.scan(&scan(Some("t0007")), 100).await.unwrap()), all[8..108]);
    assert_eq!(keys(store.scan(&scan(None), 0).await.unwrap()), []);
    let rows = store.get_many(&all).await.unwrap();
    assert!(rows.iter().all(|row| row.as_ref().is_some_and(|row| row.value.len() == 30_000)));
}

/// All rows that a walk shows, and after how many pages.
async fn walk(store: &impl Metadata, kind: Kind) -> (Vec<Key>, usize) {
    let (mut found, mut after) = (Vec::new(), None);
    for pages in 1.. {
        let (rows, next) = store.walk(kind, after.as_ref()).await.unwrap();
        found.extend(keys(rows));
        match next {
            Some(next) => after = Some(next),
            None => return (found, pages),
        }
    }
    unreachable!("a table has an end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_goes_on_after_pages_that_end_with_what_is_no_row() {
    let Some(server) = server("rows::a_walk_goes_on_after_pages_that_end_with_what_is_no_row").await else { return };
    let config = one_table(&server.endpoint());
    let store = open(&config).await;
    let mut blobs: Vec<Key> = (0..50_u8).map(|number| Key::Blob(Digest::sha256(&[number]))).collect();
    for blob in &blobs {
        put(&store, blob.clone(), Expect::Absent, "x").await.unwrap();
    }
    // Of 400 KB, so that a page ends with one of every two or three.
    let table = config.cache_table.as_deref().unwrap();
    for number in 0..20 {
        let (key, filler) = (format!(r#""Partition": {{"S": "stranger#{number}"}}, "Sort": {{"S": "x"}}"#), "x".repeat(390 << 10));
        proxy::ask(
            &server.endpoint(),
            "PutItem",
            &format!(r#"{{"TableName": "{table}", "Item": {{{key}, "Filler": {{"S": "{filler}"}}}}}}"#),
        )
        .await;
    }
    let (mut found, pages) = walk(&store, Kind::Blobs).await;
    assert!(pages > 5, "{pages} pages");
    for keys in [&mut found, &mut blobs] {
        keys.sort_by_key(Key::encode);
    }
    assert_eq!(found, blobs);
    // A row of the kind that this release cannot read is not passed over.
    let later = r#""Partition": {"S": "blobs#blake9:00"}, "Sort": {"S": "blob"}, "Value": {"B": ""}, "Version": {"N": "1"}"#;
    proxy::ask(&server.endpoint(), "PutItem", &format!(r#"{{"TableName": "{table}", "Item": {{{later}}}}}"#)).await;
    let (mut seen, mut after) = (Ok(()), None);
    while seen.is_ok() {
        match store.walk(Kind::Blobs, after.as_ref()).await {
            Ok((_, Some(next))) => after = Some(next),
            Ok((_, None)) => break,
            Err(error) => seen = Err(error),
        }
    }
    assert_eq!(seen.unwrap_err().to_string(), "row blob of partition blobs#blake9:00 in DynamoDB is damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_a_batch_or_a_page_holds_are_read() {
    let Some(server) = server("rows::more_rows_than_a_batch_or_a_page_holds_are_read").await else { return };
    let store = open(&tables(&server.endpoint())).await;
    for first in (0..1100).step_by(100) {
        assert_eq!(store.commit(many(first, 100, 1)).await.unwrap(), Outcome::Committed);
    }
    let scan = Scan::Tags("many".parse().unwrap(), None);
    assert_eq!(store.scan(&scan, 1050).await.unwrap().len(), 1050);
    assert_eq!(store.scan(&scan, 2000).await.unwrap().len(), 1100);
    // Of several tables, some absent, some twice.
    let blob = Key::Blob(Digest::sha256(b"blob"));
    put(&store, blob.clone(), Expect::Absent, Bytes::new()).await.unwrap();
    let asked: Vec<Key> = (0..250).flat_map(|number| [tag("many", &format!("t{:04}", number * 10)), blob.clone()]).collect();
    let there: Vec<bool> = store.get_many(&asked).await.unwrap().iter().map(Option::is_some).collect();
    assert_eq!(there, (0..250).flat_map(|number| [number * 10 < 1100, true]).collect::<Vec<_>>());
    assert_eq!(store.get_many(&[]).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_to_go_on_after_may_be_anything() {
    let Some(server) = server("rows::texts_to_go_on_after_may_be_anything").await else { return };
    let store = open(&one_table(&server.endpoint())).await;
    put(&store, tag("texts", "v1"), Expect::Absent, "x").await.unwrap();
    let long = |text: &str| text.repeat(3000);
    for (after, found) in [("", 1), ("v", 1), ("v1", 0), ("\u{0}", 1), ("ö", 0), (&long("a"), 1), (&long("v1"), 0), (&long("ö"), 0)] {
        let rows = store.scan(&Scan::Tags("texts".parse().unwrap(), Some(after.to_owned())), 10).await.unwrap();
        assert_eq!(rows.len(), found, "after {:?}", after.chars().take(5).collect::<String>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_for_one_call_is_refused_and_nothing_written() {
    let Some(server) = server("rows::what_is_too_much_for_one_call_is_refused_and_nothing_written").await else { return };
    let store = open(&one_table(&server.endpoint())).await;
    let error = store.commit(many(0, 101, 1)).await.unwrap_err();
    assert_eq!(crate::told(&error), "commit a transaction: it has 101 changes, 100 are possible");
    let error = put(&store, tag("large", "v1"), Expect::Anything, vec![0; 400 << 10]).await.unwrap_err();
    assert!(crate::told(&error).contains("DynamoDB takes 409600"), "{}", crate::told(&error));
    let calls = store.calls();
    // The largest row that is let through is one that DynamoDB takes.
    let largest = (400 << 10) - "tags#large".len() - "v1".len() - "PartitionSortValueVersion".len() - 21;
    assert_eq!(put(&store, tag("large", "v1"), Expect::Absent, vec![0; largest]).await.unwrap(), Outcome::Committed);
    assert_eq!(store.get(&tag("large", "v1")).await.unwrap().unwrap().value.len(), largest);
    assert_eq!(store.calls().since(&calls).total(), 2);
    assert_eq!(store.scan(&Scan::Tags("many".parse().unwrap(), None), 10).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_a_transaction_that_changes_nothing_or_never_holds() {
    let Some(server) = server("rows::nothing_is_asked_for_a_transaction_that_changes_nothing_or_never_holds").await else { return };
    let store = open(&one_table(&server.endpoint())).await;
    let calls = store.calls();
    assert_eq!(store.commit(Transaction::new()).await.unwrap(), Outcome::Committed);
    let mut transaction = Transaction::new();
    transaction.put(tag("never", "v1"), Expect::Absent, "1");
    transaction.delete(tag("never", "v1"), Expect::Present);
    assert_eq!(store.commit(transaction).await.unwrap(), Outcome::Conflict);
    assert_eq!(store.calls(), calls);
}
