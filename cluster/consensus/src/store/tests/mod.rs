//! openraft's own suite over the store.

mod crash;

use openraft::testing::{StoreBuilder, Suite};
use tempfile::TempDir;
use zot_cluster::Storage;

use super::{Machine, Store, Waiting};
use crate::raft::{StorageError, Types};

struct Builder;

impl StoreBuilder<Types, Store, Machine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, Store, Machine), StorageError> {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Waiting::Apart).unwrap();
        let machine = Machine::open(store.clone(), Storage::Shared).unwrap();
        Ok((directory, store, machine))
    }
}

#[test]
fn the_store_passes_openrafts_suite() {
    Suite::test_all(Builder).unwrap();
}
