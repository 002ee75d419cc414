//! The suite over redb, and what is particular to a file.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use ::redb::StorageBackend;

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
    let source = Box::new(MetadataFile::new(Path::new("/there/is/no/such/directory"), true));
    let shared = Arc::new(Shared { source, database: RwLock::new(None) });
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

/// A file whose next sync panics, if it is to.
#[derive(Debug)]
struct Panicking {
    file: MetadataFile,
    panics: Arc<AtomicBool>,
}

#[derive(Debug)]
struct PanickingBackend {
    backend: file::Backend,
    panics: Arc<AtomicBool>,
}

impl Source for Panicking {
    fn open(&self) -> Result<Database> {
        self.file.database(PanickingBackend { backend: self.file.backend()?, panics: self.panics.clone() })
    }
}

impl StorageBackend for PanickingBackend {
    fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.backend.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        assert!(!self.panics.swap(false, Ordering::AcqRel), "the disk is on fire");
        self.backend.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.backend.write(offset, data)
    }
}

#[tokio::test]
async fn a_store_goes_on_after_a_panic_of_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let (path, panics) = (directory.path().join("m"), Arc::<AtomicBool>::default());
    let source = Panicking { file: MetadataFile::new(&path, true), panics: panics.clone() };
    let store = RedbMetadata::of(Box::new(source), &path).unwrap();
    store.commit(put("1")).await.unwrap();
    let before = store.get(&key()).await.unwrap();

    panics.store(true, Ordering::Release);
    assert!(matches!(store.commit(put("2")).await, Err(Error::Metadata { .. })));
    // The refusal is told before the store is open again, and a commit waits for that or is refused.
    while store.commit(put("3")).await.is_err() {
        tokio::task::yield_now().await;
    }
    let after = store.get(&key()).await.unwrap().unwrap();
    assert_eq!(after.value, "3");
    assert!(after.version > before.unwrap().version);
    store.close().await.unwrap();
}
