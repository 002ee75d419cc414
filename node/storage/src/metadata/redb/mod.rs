//! Metadata in one file on this machine, with redb.
//!
//! Readers never wait: each takes a snapshot. One thread writes, and commits all transactions that wait at that moment together, so that a
//! commit's `fsync` is shared by everybody who pushes at the same time.

mod file;
mod keep;
mod writer;

use std::{ops::Bound, path::Path, sync::Arc};

use ::redb::{Database, ReadableDatabase, TableDefinition, TableError};
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};

use super::{Cursor, Key, Keys, Kind, Metadata, Outcome, Row, Scan, Transaction, WALKED_ROWS, walked};
use crate::{Error, Result, error::blocking};
use file::{MetadataFile, Source};
pub use keep::keep_users;
use writer::{Job, Writer};

/// All rows: the encoded key, and the value behind its version.
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// The memory that redb may use to cache pages, in bytes.
const CACHE_BYTES: usize = 32 << 20;

/// Transactions that may wait for the writer; more callers wait for room.
const QUEUE_LENGTH: usize = 1024;

/// A scan of more rows than this leaves the asynchronous threads.
const INLINE_SCAN_ROWS: usize = 256;

/// Metadata in a redb file.
#[derive(Debug)]
pub struct RedbMetadata {
    database: Arc<Shared>,
    queue: mpsc::Sender<Job>,
}

/// The database, absent while it is opened again after an I/O error or a panic: redb refuses everything from then on until it is.
#[derive(Debug)]
struct Shared {
    source: Box<dyn Source>,
    database: RwLock<Option<Arc<Database>>>,
}

impl RedbMetadata {
    /// Opens the file at `path`, creating it when absent. With `durable`, a commit returns when it is on the disk.
    pub fn open(path: &Path, durable: bool) -> Result<Self> {
        Self::of(Box::new(MetadataFile::new(path, durable)), path)
    }

    fn of(source: Box<dyn Source>, path: &Path) -> Result<Self> {
        let database = source.open()?;
        let shared = Arc::new(Shared { source, database: RwLock::new(Some(Arc::new(database))) });
        let (queue, jobs) = mpsc::channel(QUEUE_LENGTH);
        let writer = Writer::new(shared.clone(), jobs);
        std::thread::Builder::new()
            .name("metadata-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(Error::file("start the writer of", path))?;
        Ok(Self { database: shared, queue })
    }

    /// What `read` finds first in a scan.
    async fn first<T: Send + 'static>(
        &self,
        scan: &Scan,
        limit: usize,
        read: fn(&Shared, Range, usize) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        if limit <= INLINE_SCAN_ROWS {
            return read(&self.database, scan.range(), limit);
        }
        let (database, range) = (self.database.clone(), scan.range());
        blocking(move || read(&database, range, limit)).await
    }

    async fn submit<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(job(reply)).await.map_err(|_| Error::MetadataClosed)?;
        answer.await.map_err(|_| Error::MetadataClosed)
    }
}

impl Shared {
    fn get(&self) -> Result<Arc<Database>> {
        self.database.read().clone().ok_or(Error::MetadataClosed)
    }

    /// Runs `read` on a snapshot of the rows; on none if nothing was ever written.
    fn read<T>(&self, read: impl FnOnce(Option<&Rows>) -> Result<T>) -> Result<T> {
        let transaction = self.get()?.begin_read().map_err(Error::metadata("read"))?;
        match transaction.open_table(ROWS) {
            Ok(rows) => read(Some(&rows)),
            Err(TableError::TableDoesNotExist(_)) => read(None),
            Err(error) => Err(Error::metadata("read")(error)),
        }
    }

    fn scan(&self, range: Range, limit: usize) -> Result<Vec<(Key, Row)>> {
        let mut keys = Keys::default();
        self.each(range, limit, |key, value| Ok((keys.decode(key)?, row(value)?)))
    }

    fn keys(&self, range: Range, limit: usize) -> Result<Vec<Key>> {
        let mut keys = Keys::default();
        self.each(range, limit, |key, _| keys.decode(key))
    }

    /// What `entry` makes of the first rows in a range.
    fn each<T>(&self, (start, end): Range, limit: usize, mut entry: impl FnMut(&[u8], &[u8]) -> Result<T>) -> Result<Vec<T>> {
        self.read(|rows| {
            let Some(rows) = rows else { return Ok(Vec::new()) };
            let range = (start.as_ref().map(Vec::as_slice), end.as_ref().map(Vec::as_slice));
            let found = rows.range::<&[u8]>(range).map_err(Error::metadata("scan"))?;
            let found = found.take(limit).map(|found| {
                let (key, value): Entry<'_> = found.map_err(Error::metadata("scan"))?;
                entry(key.value(), value.value())
            });
            found.collect()
        })
    }
}

/// Encoded keys.
type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);
type Rows = ::redb::ReadOnlyTable<&'static [u8], &'static [u8]>;
type Entry<'a> = (::redb::AccessGuard<'a, &'static [u8]>, ::redb::AccessGuard<'a, &'static [u8]>);

fn get(rows: &Rows, key: &Key) -> Result<Option<Row>> {
    let found = rows.get(key.encode().as_slice()).map_err(Error::metadata("read"))?;
    found.map(|value| row(value.value())).transpose()
}

/// Splits a stored value into version and content.
fn row(stored: &[u8]) -> Result<Row> {
    let (version, value) = stored.split_first_chunk().ok_or_else(|| Error::damaged("a metadata row", "it is shorter than its version"))?;
    Ok(Row { version: u64::from_le_bytes(*version), value: value.to_vec().into() })
}

#[async_trait::async_trait]
impl Metadata for RedbMetadata {
    async fn get(&self, key: &Key) -> Result<Option<Row>> {
        self.database.read(|rows| rows.map_or(Ok(None), |rows| get(rows, key)))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>> {
        self.database.read(|rows| keys.iter().map(|key| rows.map_or(Ok(None), |rows| get(rows, key))).collect())
    }

    async fn scan(&self, scan: &Scan, limit: usize) -> Result<Vec<(Key, Row)>> {
        self.first(scan, limit, Shared::scan).await
    }

    async fn keys(&self, scan: &Scan, limit: usize) -> Result<Vec<Key>> {
        self.first(scan, limit, Shared::keys).await
    }

    async fn walk(&self, kind: Kind, after: Option<&Cursor>) -> Result<(Vec<(Key, Row)>, Option<Cursor>)> {
        let (database, range) = (self.database.clone(), kind.range(after));
        blocking(move || database.scan(range, WALKED_ROWS)).await.map(walked)
    }

    fn changes_max(&self) -> usize {
        usize::MAX
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome> {
        self.submit(|reply| Job::Commit { transaction, reply }).await?
    }

    async fn close(&self) -> Result<()> {
        self.submit(Job::Close).await
    }
}

#[cfg(test)]
mod tests;
