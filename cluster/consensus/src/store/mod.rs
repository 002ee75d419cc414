//! What a node keeps on disk, in one redb file: its identity, Raft's vote and log, and the newest snapshot.
//!
//! Votes, entries and snapshots are on the disk before Raft hears that they are. What was committed is written without waiting: the next entry
//! takes it along, and a node that lost it learns it again from the leader.

mod log;
mod machine;
mod waiting;

use std::{path::Path, sync::Arc};

use openraft::AnyError;
use redb::{Database, Durability, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};
use zot_cluster::{ClusterId, NodeId};

use crate::{error::BoxError, random::Random};
pub(crate) use machine::{Applied, Machine};
pub(crate) use waiting::Waiting;

/// The file's name in the node's directory.
const FILE: &str = "consensus.redb";

/// The memory that redb may use to cache pages, in bytes.
const CACHE_BYTES: usize = 4 << 20;

/// Entries of the log as JSON, by their index.
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

/// Single values as JSON, by their names.
const VALUES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("values");

/// The names of the single values.
mod name {
    pub(super) const NODE: &str = "node";
    pub(super) const CLUSTER: &str = "cluster";
    pub(super) const FOUNDED: &str = "founded";
    pub(super) const REMOVED: &str = "removed";
    pub(super) const REMOVED_BEFORE: &str = "removed-before";
    pub(super) const VOTE: &str = "vote";
    pub(super) const COMMITTED: &str = "committed";
    pub(super) const PURGED: &str = "purged";
    pub(super) const SNAPSHOT: &str = "snapshot";
}

type Result<T> = std::result::Result<T, BoxError>;

/// The file; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Arc<Database>,
    waiting: Waiting,
}

impl Store {
    /// Opens the file of a directory, making both when absent. Another process that has it open is an error.
    pub(crate) fn open(directory: &Path, waiting: Waiting) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let store = Self::of(Database::builder().set_cache_size(CACHE_BYTES).create(directory.join(FILE))?, waiting)?;
        // A file that is new has to be found again.
        std::fs::File::open(directory)?.sync_all()?;
        Ok(store)
    }

    fn of(database: Database, waiting: Waiting) -> Result<Self> {
        let store = Self { database: Arc::new(database), waiting };
        store.commit(Durability::Immediate, |transaction| {
            transaction.open_table(LOG)?;
            transaction.open_table(VALUES)?;
            Ok(())
        })?;
        Ok(store)
    }

    /// The node's identity, drawn at random and kept when there is none.
    pub(crate) fn node(&self, random: &Random) -> Result<NodeId> {
        if let Some(id) = self.value(name::NODE)? {
            return Ok(id);
        }
        let id = NodeId(random.next());
        self.put(name::NODE, &id, Durability::Immediate)?;
        Ok(id)
    }

    /// The cluster that this node belongs to.
    pub(crate) fn cluster(&self) -> Result<Option<ClusterId>> {
        self.value(name::CLUSTER)
    }

    /// Whether this node founded its cluster.
    pub(crate) fn founded(&self) -> Result<bool> {
        Ok(self.value(name::FOUNDED)?.unwrap_or(false))
    }

    /// Makes this node belong to a cluster, for as long as its directory lives.
    pub(crate) async fn set_cluster(&self, cluster: ClusterId, founded: bool) -> Result<()> {
        let write = move |transaction: &WriteTransaction| {
            put(transaction, name::FOUNDED, &founded)?;
            put(transaction, name::REMOVED_BEFORE, &false)?;
            put(transaction, name::CLUSTER, &cluster)
        };
        self.blocking(move |store| store.commit(Durability::Immediate, write)).await
    }

    /// Whether this node was removed from its cluster.
    pub(crate) fn removed(&self) -> Result<bool> {
        Ok(self.value(name::REMOVED)?.unwrap_or(false))
    }

    /// Keeps in mind that this node was removed.
    pub(crate) async fn set_removed(&self) -> Result<()> {
        self.blocking(|store| store.put(name::REMOVED, &true, Durability::Immediate)).await
    }

    /// Makes this node another one, which belongs to no cluster yet. All that the one before it knew is gone, but that there is a cluster.
    pub(crate) async fn renew(&self, id: NodeId) -> Result<()> {
        let write = move |transaction: &WriteTransaction| {
            transaction.delete_table(LOG)?;
            transaction.delete_table(VALUES)?;
            transaction.open_table(LOG)?;
            put(transaction, name::REMOVED_BEFORE, &true)?;
            put(transaction, name::NODE, &id)
        };
        self.blocking(move |store| store.commit(Durability::Immediate, write)).await
    }

    /// Whether the node that had this directory before was removed from its cluster, which this one has not joined yet.
    pub(crate) fn was_removed_before(&self) -> Result<bool> {
        Ok(self.value(name::REMOVED_BEFORE)?.unwrap_or(false))
    }

    fn value<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let transaction: ReadTransaction = self.database.begin_read()?;
        let value = transaction.open_table(VALUES)?.get(name)?;
        value.map(|json| Ok(serde_json::from_slice(json.value())?)).transpose()
    }

    fn put<T: Serialize>(&self, name: &str, value: &T, durability: Durability) -> Result<()> {
        self.commit(durability, |transaction| put(transaction, name, value))
    }

    fn commit(&self, durability: Durability, change: impl FnOnce(&WriteTransaction) -> Result<()>) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
        change(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Runs what waits for the disk.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let store = self.clone();
        self.waiting.for_disk(move || work(&store)).await
    }
}

fn put<T: Serialize>(transaction: &WriteTransaction, name: &str, value: &T) -> Result<()> {
    transaction.open_table(VALUES)?.insert(name, serde_json::to_vec(value)?.as_slice())?;
    Ok(())
}

/// An error as openraft wants it; it keeps the whole chain as text.
fn any(error: BoxError) -> AnyError {
    AnyError::error(zot_runtime::telemetry::chain(&*error).to_string())
}

#[cfg(test)]
mod tests;
