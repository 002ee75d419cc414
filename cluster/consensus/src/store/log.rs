//! Raft's log, vote and what is known to be committed.

use std::{fmt::Debug, io, ops::RangeBounds};

use openraft::{
    LogState, RaftLogId, RaftLogReader, StorageIOError,
    storage::{LogFlushed, RaftLogStorage},
};
use redb::{Durability, ReadableDatabase, ReadableTable};

use super::{LOG, Result, Store, any, name, put};
use crate::raft::{Entry, LogId, StorageError, Types, Vote};

impl Store {
    fn entries(&self, range: impl RangeBounds<u64>) -> Result<Vec<Entry>> {
        let transaction = self.database.begin_read()?;
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        let found = transaction.open_table(LOG)?.range::<u64>(bounds)?;
        found.map(|entry| Ok(serde_json::from_slice(entry?.1.value())?)).collect()
    }

    fn log_state(&self) -> Result<LogState<Types>> {
        let last_purged_log_id: Option<LogId> = self.value(name::PURGED)?;
        let transaction = self.database.begin_read()?;
        let log = transaction.open_table(LOG)?;
        let last = log.last()?;
        let last = last.map(|(_, json)| serde_json::from_slice::<Entry>(json.value())).transpose()?;
        let last_log_id = last.map(|entry| *entry.get_log_id()).or(last_purged_log_id);
        Ok(LogState { last_purged_log_id, last_log_id })
    }

    fn write_entries(&self, entries: &[Entry]) -> Result<()> {
        self.commit(Durability::Immediate, |transaction| {
            let mut log = transaction.open_table(LOG)?;
            for entry in entries {
                log.insert(entry.log_id.index, serde_json::to_vec(entry)?.as_slice())?;
            }
            Ok(())
        })
    }

    fn remove_entries(&self, range: impl RangeBounds<u64>, purged: Option<LogId>) -> Result<()> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        self.commit(Durability::Immediate, |transaction| {
            transaction.open_table(LOG)?.retain_in::<u64, _>(bounds, |_, _| false)?;
            purged.map_or(Ok(()), |purged| put(transaction, name::PURGED, &purged))
        })
    }
}

impl RaftLogReader<Types> for Store {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: RB,
    ) -> std::result::Result<Vec<Entry>, StorageError> {
        self.entries(range).map_err(|error| StorageIOError::read_logs(any(error)).into())
    }
}

impl RaftLogStorage<Types> for Store {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> std::result::Result<LogState<Types>, StorageError> {
        self.log_state().map_err(|error| StorageIOError::read_logs(any(error)).into())
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> std::result::Result<(), StorageError> {
        let vote = *vote;
        let saved = self.blocking(move |store| store.put(name::VOTE, &vote, Durability::Immediate)).await;
        saved.map_err(|error| StorageIOError::write_vote(any(error)).into())
    }

    async fn read_vote(&mut self) -> std::result::Result<Option<Vote>, StorageError> {
        self.value(name::VOTE).map_err(|error| StorageIOError::read_vote(any(error)).into())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> std::result::Result<(), StorageError> {
        let saved = self.blocking(move |store| store.put(name::COMMITTED, &committed, Durability::None)).await;
        saved.map_err(|error| StorageIOError::write(any(error)).into())
    }

    async fn read_committed(&mut self) -> std::result::Result<Option<LogId>, StorageError> {
        let read = self.value::<Option<LogId>>(name::COMMITTED);
        read.map(Option::flatten).map_err(|error| StorageIOError::read(any(error)).into())
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> std::result::Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let written = self.blocking(move |store| store.write_entries(&entries)).await;
        // Raft counts this node's copy from here on: not before it is on the disk.
        match written {
            Ok(()) => callback.log_io_completed(Ok(())),
            Err(error) => {
                let error = any(error);
                callback.log_io_completed(Err(io::Error::other(error.to_string())));
                return Err(StorageIOError::write_logs(error).into());
            }
        }
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> std::result::Result<(), StorageError> {
        let removed = self.blocking(move |store| store.remove_entries(log_id.index.., None)).await;
        removed.map_err(|error| StorageIOError::write_logs(any(error)).into())
    }

    async fn purge(&mut self, log_id: LogId) -> std::result::Result<(), StorageError> {
        let removed = self.blocking(move |store| store.remove_entries(..=log_id.index, Some(log_id))).await;
        removed.map_err(|error| StorageIOError::write_logs(any(error)).into())
    }
}
