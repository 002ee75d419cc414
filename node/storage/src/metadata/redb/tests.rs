//! The suite over redb, and what is particular to a file.

use super::*;
use crate::metadata::{Expect, suite::metadata_suite};

fn key() -> Key {
    Key::Tag("a".parse().unwrap(), "b".parse().unwrap())
}

fn put(value: &'static str) -> Transaction {
    let mut transaction = Transaction::new();
    transaction.put(key(), Expect::Anything, value);
    transaction
}

#[tokio::test]
async fn redb_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    for durable in [true, false] {
        let store = RedbMetadata::open(&directory.path().join(format!("{durable}")), durable).unwrap();
        metadata_suite(&store).await;
    }
}

#[tokio::test]
async fn rows_and_versions_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m");
    let store = RedbMetadata::open(&path, true).unwrap();
    store.commit(put("1")).await.unwrap();
    let before = store.get(&key()).await.unwrap().unwrap();
    store.close().await.unwrap();

    let store = RedbMetadata::open(&path, true).unwrap();
    assert_eq!(store.get(&key()).await.unwrap(), Some(before.clone()));
    store.commit(put("2")).await.unwrap();
    assert!(store.get(&key()).await.unwrap().unwrap().version > before.version);
}

#[tokio::test]
async fn a_closed_store_answers_with_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbMetadata::open(&directory.path().join("m"), true).unwrap();
    store.close().await.unwrap();
    assert!(store.get(&key()).await.is_err());
    assert!(store.commit(put("1")).await.is_err());
}

/// A store after a failed commit whose file cannot be opened again.
fn out_of_order() -> RedbMetadata {
    let file = MetadataFile::new(Path::new("/there/is/no/such/directory"), true);
    let shared = Arc::new(Shared { file, database: RwLock::new(None) });
    let (queue, jobs) = mpsc::channel(QUEUE_LENGTH);
    let writer = Writer::new(shared.clone(), jobs);
    std::thread::spawn(move || writer.run());
    RedbMetadata { database: shared, queue }
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_again_refuses_and_can_be_closed() {
    let store = out_of_order();
    for _ in 0..3 {
        assert!(store.commit(put("1")).await.is_err());
        assert!(store.get(&key()).await.is_err());
    }
    store.close().await.unwrap();
}
