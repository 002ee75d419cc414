//! The port for metadata: rows with versions, changed by conditional transactions.
//!
//! The port knows nothing of images. What rows mean and which rows change together is the engine's knowledge, written once above it.

mod key;
mod memory;
pub mod redb;
pub(crate) mod rows;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod suite;

use std::fmt::Debug;

use bytes::Bytes;

use crate::Result;
pub(crate) use key::Keys;
pub use key::{Key, Kind, Scan};
pub use memory::MemoryMetadata;

/// How many rows a walk over rows in order shows at a time.
const WALKED_ROWS: usize = 1000;

/// What a walk shows of rows in order, and where it goes on: nowhere if there were fewer than asked for.
fn walked(rows: Vec<(Key, Row)>) -> (Vec<(Key, Row)>, Option<Cursor>) {
    let next = rows.last().filter(|_| rows.len() == WALKED_ROWS).map(|(key, _)| Cursor::new(key.encode()));
    (rows, next)
}

/// A store of rows.
///
/// # Contract
/// - A transaction is applied whole, if all its conditions hold at one instant, or not at all.
/// - When [`Metadata::commit`] returns [`Outcome::Committed`], the rows are durable and every later read sees them.
/// - A row gets a new version with each write; no version is ever used twice for one key.
/// - A failed read is an error, never an absent row.
#[async_trait::async_trait]
pub trait Metadata: Debug + Send + Sync {
    /// A row, if it is there.
    async fn get(&self, key: &Key) -> Result<Option<Row>>;

    /// Several rows, in the order of the keys.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>>;

    /// The first `limit` rows of a scan, in the order of their keys.
    async fn scan(&self, scan: &Scan, limit: usize) -> Result<Vec<(Key, Row)>>;

    /// The keys of the first `limit` rows of a scan, in their order: for lists of names, to which values say nothing.
    async fn keys(&self, scan: &Scan, limit: usize) -> Result<Vec<Key>> {
        Ok(self.scan(scan, limit).await?.into_iter().map(|(key, _)| key).collect())
    }

    /// Some rows of a kind, in no order, and where to go on after them, if not at the end. For work in the background: where rows are spread
    /// over machines, all of them are read. A row that is there all the time is shown; one that changes meanwhile may be shown as it was.
    async fn walk(&self, kind: Kind, after: Option<&Cursor>) -> Result<(Vec<(Key, Row)>, Option<Cursor>)>;

    /// The most changes that one transaction may have: eight or more.
    fn changes_max(&self) -> usize;

    /// Applies a transaction.
    async fn commit(&self, transaction: Transaction) -> Result<Outcome>;

    /// Finishes what is under way and releases the store.
    async fn close(&self) -> Result<()>;
}

/// Where a walk goes on. What it says only the store knows that made it: there need not be a row that this release can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Bytes);

impl Cursor {
    /// The cursor that says this.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// What it says.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A stored row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was written.
    pub value: Bytes,
    /// Differs after each write of the row.
    pub version: u64,
}

/// Rows to change together.
#[derive(Debug, Default, Clone)]
pub struct Transaction {
    /// The changes, no two of them to one row.
    pub changes: Vec<Change>,
}

/// A change to one row.
#[derive(Debug, Clone)]
pub struct Change {
    /// The row.
    pub key: Key,
    /// What it must be before.
    pub expect: Expect,
    /// What becomes of it.
    pub write: Write,
}

/// What becomes of a row.
#[derive(Debug, Clone)]
pub enum Write {
    /// It gets a value.
    Put(Bytes),
    /// It is removed, if it is there.
    Delete,
}

/// What a row must be for a transaction to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Whatever it is.
    Anything,
    /// Not there.
    Absent,
    /// There, in any version.
    Present,
    /// There, in this version.
    Version(u64),
}

impl Expect {
    /// Whether a row of `version` is as expected.
    pub fn holds(self, version: Option<u64>) -> bool {
        match self {
            Self::Anything => true,
            Self::Absent => version.is_none(),
            Self::Present => version.is_some(),
            Self::Version(expected) => version == Some(expected),
        }
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was applied.
    Committed,
    /// A row was not as expected; nothing was changed. Read again and decide anew.
    Conflict,
}

impl Transaction {
    /// An empty transaction.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a row.
    pub fn put(&mut self, key: Key, expect: Expect, value: impl Into<Bytes>) {
        self.changes.push(Change { key, expect, write: Write::Put(value.into()) });
    }

    /// Removes a row.
    pub fn delete(&mut self, key: Key, expect: Expect) {
        self.changes.push(Change { key, expect, write: Write::Delete });
    }

    /// How many rows it changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
