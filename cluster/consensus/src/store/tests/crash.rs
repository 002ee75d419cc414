//! What is left after the machine stopped: only what was synced.

use std::{io, sync::Arc};

use openraft::{
    CommittedLeaderId, EntryPayload, RaftLogReader, RaftSnapshotBuilder,
    storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine},
};
use parking_lot::Mutex;
use redb::{Database, StorageBackend};
use zot_cluster::{NodeId, Storage};

use super::super::{Machine, Store, Waiting};
use crate::{
    raft::{Entry, LogId, Vote},
    random::Random,
};

/// A disk that forgets what was not synced when the machine stops.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<Bytes>>);

#[derive(Debug, Default)]
struct Bytes {
    written: Vec<u8>,
    synced: Vec<u8>,
}

impl Disk {
    fn store(&self) -> Store {
        Store::of(Database::builder().create_with_backend(self.clone()).unwrap(), Waiting::Apart).unwrap()
    }

    /// What the disk holds when the machine stops now, as another one, so that nothing that still runs can write to it.
    fn after_a_crash(&self) -> Self {
        let synced = self.0.lock().synced.clone();
        Self(Arc::new(Mutex::new(Bytes { written: synced.clone(), synced })))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0.lock().written[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().written.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut bytes = self.0.lock();
        bytes.synced = bytes.written.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.0.lock().written[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn log_id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, NodeId(1)), index)
}

fn entries(range: std::ops::Range<u64>) -> Vec<Entry> {
    range.map(|index| Entry { log_id: log_id(index), payload: EntryPayload::Blank }).collect()
}

#[tokio::test]
async fn votes_entries_and_truncations_that_were_acknowledged_are_there() {
    let disk = Disk::default();
    let mut store = disk.store();
    let id = store.node(&Random::new(None)).unwrap();
    store.save_vote(&Vote::new(3, NodeId(7))).await.unwrap();
    store.blocking_append(entries(1..6)).await.unwrap();
    store.truncate(log_id(4)).await.unwrap();

    let mut store = disk.after_a_crash().store();
    assert_eq!(store.node(&Random::new(None)).unwrap(), id);
    assert_eq!(store.read_vote().await.unwrap(), Some(Vote::new(3, NodeId(7))));
    assert_eq!(store.try_get_log_entries(0..9).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_was_committed_may_be_forgotten_until_the_next_entry() {
    let disk = Disk::default();
    let mut store = disk.store();
    store.blocking_append(entries(1..3)).await.unwrap();
    store.save_committed(Some(log_id(2))).await.unwrap();
    assert_eq!(disk.after_a_crash().store().read_committed().await.unwrap(), None, "or this disk forgets nothing");
    store.blocking_append(entries(3..4)).await.unwrap();
    assert_eq!(disk.after_a_crash().store().read_committed().await.unwrap(), Some(log_id(2)));
}

#[tokio::test]
async fn a_log_is_purged_only_after_its_snapshot_is_there() {
    let disk = Disk::default();
    let mut store = disk.store();
    let mut machine = Machine::open(store.clone(), Storage::Shared).unwrap();
    store.blocking_append(entries(1..6)).await.unwrap();
    machine.apply(entries(1..6)).await.unwrap();
    machine.get_snapshot_builder().await.build_snapshot().await.unwrap();
    let crashed = disk.after_a_crash();
    let mut found = Machine::open(crashed.store(), Storage::Shared).unwrap();
    assert_eq!(found.applied_state().await.unwrap().0, Some(log_id(5)));

    store.purge(log_id(5)).await.unwrap();
    let state = disk.after_a_crash().store().get_log_state().await.unwrap();
    assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(log_id(5)), Some(log_id(5))));
}
