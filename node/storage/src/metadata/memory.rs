//! Metadata in memory: for tests, and the plainest reading of the port's contract.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::{Cursor, Key, Kind, Metadata, Outcome, Row, Scan, Transaction, WALKED_ROWS, Write, walked};
use crate::{Error, Result};

/// Rows in memory.
#[derive(Debug)]
pub struct MemoryMetadata {
    state: Mutex<State>,
    changes_max: usize,
}

impl Default for MemoryMetadata {
    fn default() -> Self {
        Self::limited(usize::MAX)
    }
}

impl MemoryMetadata {
    /// Rows in memory, of which a transaction changes `changes_max` at most, as it is in some remote stores.
    pub fn limited(changes_max: usize) -> Self {
        Self { state: Mutex::default(), changes_max }
    }
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<Vec<u8>, Row>,
    version: u64,
}

#[async_trait::async_trait]
impl Metadata for MemoryMetadata {
    async fn get(&self, key: &Key) -> Result<Option<Row>> {
        Ok(self.state.lock().rows.get(&key.encode()).cloned())
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>> {
        let state = self.state.lock();
        Ok(keys.iter().map(|key| state.rows.get(&key.encode()).cloned()).collect())
    }

    async fn scan(&self, scan: &Scan, limit: usize) -> Result<Vec<(Key, Row)>> {
        let state = self.state.lock();
        let rows = state.rows.range(scan.range()).take(limit);
        rows.map(|(key, row)| Ok((Key::decode(key)?, row.clone()))).collect()
    }

    async fn walk(&self, kind: Kind, after: Option<&Cursor>) -> Result<(Vec<(Key, Row)>, Option<Cursor>)> {
        let state = self.state.lock();
        let rows = state.rows.range(kind.range(after)).take(WALKED_ROWS);
        let rows = rows.map(|(key, row)| Ok((Key::decode(key)?, row.clone()))).collect::<Result<_>>()?;
        Ok(walked(rows))
    }

    fn changes_max(&self) -> usize {
        self.changes_max
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome> {
        if transaction.len() > self.changes_max {
            return Err(Error::metadata("commit")(format!("{} changes, of {} at most", transaction.len(), self.changes_max)));
        }
        let mut state = self.state.lock();
        let as_expected = transaction.changes.iter().all(|change| {
            let version = state.rows.get(&change.key.encode()).map(|row| row.version);
            change.expect.holds(version)
        });
        if !as_expected {
            return Ok(Outcome::Conflict);
        }
        for change in transaction.changes {
            state.version += 1;
            let version = state.version;
            match change.write {
                Write::Put(value) => state.rows.insert(change.key.encode(), Row { value, version }),
                Write::Delete => state.rows.remove(&change.key.encode()),
            };
        }
        Ok(Outcome::Committed)
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        super::super::suite::metadata_suite(&MemoryMetadata::default()).await;
        super::super::suite::metadata_suite(&MemoryMetadata::limited(8)).await;
    }
}
