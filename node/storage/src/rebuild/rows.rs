//! The rows that a rebuild writes, some at a time: until the last is written, the store is not complete.

use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;

use crate::{
    Error, Result,
    metadata::{
        Change, Expect, Key, Metadata, Outcome, Transaction, Write,
        rows::{SCHEMA_VERSION, SchemaRow},
    },
};

/// Rows written in one transaction.
const ROWS_AT_A_TIME: usize = 1000;

/// The longest time in which nothing is written, so that nobody takes this process for dead.
const SILENT_MAX: Duration = Duration::from_secs(10);

/// The right to fill a store that several processes may want to fill: the schema row, in a version that only the holder has written.
///
/// Each transaction writes it again under the condition that it is as it was. So a process that was believed dead, and whose place another took,
/// writes nothing any more: it would undo what was pushed since.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) value: Bytes,
    pub(crate) version: u64,
}

/// Rows on their way to a store.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    metadata: &'a dyn Metadata,
    claim: Option<Claim>,
    waiting: Vec<Change>,
    written: Instant,
}

impl<'a> Rows<'a> {
    /// Rows for a store that nobody else has, or to which this process has the `claim`.
    pub(crate) fn new(metadata: &'a dyn Metadata, claim: Option<Claim>) -> Self {
        Self { metadata, claim, waiting: Vec::new(), written: Instant::now() }
    }

    pub(super) async fn put(&mut self, key: Key, value: Vec<u8>) -> Result<()> {
        self.waiting.push(Change { key, expect: Expect::Anything, write: Write::Put(value.into()) });
        self.flush_if_full().await
    }

    pub(super) async fn add(&mut self, transaction: Transaction) -> Result<()> {
        self.waiting.extend(transaction.changes);
        self.flush_if_full().await
    }

    async fn flush_if_full(&mut self) -> Result<()> {
        let is_full = self.waiting.len() >= ROWS_AT_A_TIME || self.written.elapsed() >= SILENT_MAX;
        if is_full { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn flush(&mut self) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        // In a transaction each row is changed once: the last change counts.
        let mut seen = std::collections::HashSet::new();
        waiting.reverse();
        waiting.retain(|change| seen.insert(change.key.clone()));
        let some = ROWS_AT_A_TIME.min(self.metadata.changes_max().saturating_sub(1)).max(1);
        while !waiting.is_empty() {
            let changes = waiting.split_off(waiting.len().saturating_sub(some));
            self.commit(Transaction { changes }).await?;
        }
        Ok(())
    }

    /// Does what takes long, and renews the claim meanwhile.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            match tokio::time::timeout(SILENT_MAX, work.as_mut()).await {
                Ok(done) => return done,
                Err(_) if self.claim.is_some() => self.commit(Transaction::new()).await?,
                Err(_) => {}
            }
        }
    }

    /// Declares the store complete.
    pub(crate) async fn complete(mut self) -> Result<()> {
        let mut transaction = Transaction::new();
        let expect = self.claim.take().map_or(Expect::Anything, |claim| Expect::Version(claim.version));
        let row = SchemaRow { version: SCHEMA_VERSION, ..Default::default() };
        transaction.put(Key::Schema, expect, row.encode_to_vec());
        self.commit(transaction).await
    }

    async fn commit(&mut self, mut transaction: Transaction) -> Result<()> {
        if let Some(claim) = &self.claim {
            transaction.put(Key::Schema, Expect::Version(claim.version), claim.value.clone());
        }
        self.written = Instant::now();
        if self.metadata.commit(transaction).await? == Outcome::Conflict {
            return Err(Error::remote("fill the metadata store", "another process took it over"));
        }
        if let Some(claim) = &mut self.claim {
            let row = self.metadata.get(&Key::Schema).await?.filter(|row| row.value == claim.value);
            claim.version = row.ok_or_else(|| Error::remote("fill the metadata store", "another process took it over"))?.version;
        }
        Ok(())
    }
}
