//! The one thread that writes: it commits together what waits together.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use ::redb::{Database, ReadableTable, Table, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::{ROWS, Shared, row};
use crate::{
    Error, Result,
    metadata::{Change, Outcome, Transaction, Write},
};

/// The most transactions in one commit, which bounds how long the first of them waits.
const GROUP_MAX: usize = 256;

/// How long to wait before another attempt to open the database after an I/O error.
const REOPEN_PAUSE: Duration = Duration::from_millis(200);

/// Work for the writer.
#[derive(Debug)]
pub(super) enum Job {
    Commit { transaction: Transaction, reply: oneshot::Sender<Result<Outcome>> },
    Close(oneshot::Sender<()>),
}

/// Runs what uses the database. A panic in there is an error like another: nobody could write any more if this thread ended.
fn caught<T>(act: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::metadata(act)("the database panicked")))
}

type Waiting = (Transaction, oneshot::Sender<Result<Outcome>>);

pub(super) struct Writer {
    shared: Arc<Shared>,
    jobs: mpsc::Receiver<Job>,
    /// The last version given to a row.
    version: u64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, jobs: mpsc::Receiver<Job>) -> Self {
        Self { shared, jobs, version: 0 }
    }

    /// Works until the store is closed or dropped.
    pub(super) fn run(mut self) {
        let mut jobs = Vec::with_capacity(GROUP_MAX);
        while self.jobs.blocking_recv_many(&mut jobs, GROUP_MAX) > 0 {
            let mut group = Vec::with_capacity(jobs.len());
            let mut closing = None;
            for job in jobs.drain(..) {
                match job {
                    Job::Commit { transaction, reply } => group.push((transaction, reply)),
                    Job::Close(reply) => closing = Some(reply),
                }
            }
            if !self.commit(group) && closing.is_none() {
                closing = self.reopen();
            }
            if let Some(reply) = closing {
                self.close();
                // Whoever asked may have gone; the store is closed all the same.
                reply.send(()).ok();
                return;
            }
        }
    }

    /// Whether the store can go on.
    fn commit(&mut self, group: Vec<Waiting>) -> bool {
        if group.is_empty() {
            return true;
        }
        let outcomes = caught("commit", || self.shared.get().and_then(|database| self.apply(&database, &group)));
        match outcomes {
            Ok(outcomes) => {
                for ((_, reply), outcome) in group.into_iter().zip(outcomes) {
                    // A caller that was cancelled does not wait any more.
                    reply.send(Ok(outcome)).ok();
                }
                true
            }
            Err(error) => {
                let reason = crate::error::chain(&error);
                tracing::error!(error = %reason, transactions = group.len(), "could not commit metadata, opening the store again");
                // Closed before the first refusal is told: who tries again at once must not pass the reads and then wait here.
                self.close();
                for (_, reply) in group {
                    reply.send(Err(Error::metadata("commit")(reason.clone()))).ok();
                }
                false
            }
        }
    }

    fn close(&self) {
        let closed = caught("close", || {
            self.shared.take();
            Ok(())
        });
        if let Err(error) = closed {
            tracing::warn!(error = %crate::error::chain(&error), "could not close the metadata store in good order");
        }
    }

    /// Opens the store again until that succeeds: after an I/O error redb refuses to go on. Who waits meanwhile is refused; whoever wants the
    /// store closed is returned.
    fn reopen(&mut self) -> Option<oneshot::Sender<()>> {
        while let Err(error) = caught("open", || self.shared.open()) {
            tracing::error!(error = %crate::error::chain(&error), "could not open the metadata store again");
            if let Some(closing) = self.refuse_waiting() {
                return Some(closing);
            }
            if self.jobs.is_closed() {
                return None;
            }
            std::thread::sleep(REOPEN_PAUSE);
        }
        tracing::info!("metadata store is open again");
        None
    }

    fn refuse_waiting(&mut self) -> Option<oneshot::Sender<()>> {
        while let Ok(job) = self.jobs.try_recv() {
            match job {
                // A caller that was cancelled does not wait any more.
                Job::Commit { reply, .. } => drop(reply.send(Err(Error::MetadataClosed))),
                Job::Close(reply) => return Some(reply),
            }
        }
        None
    }

    fn apply(&mut self, database: &Database, group: &[Waiting]) -> Result<Vec<Outcome>> {
        let writing = database.begin_write().map_err(Error::metadata("begin to write"))?;
        let outcomes = self.write_rows(&writing, group)?;
        if outcomes.contains(&Outcome::Committed) {
            writing.commit().map_err(Error::metadata("commit"))?;
        } else {
            writing.abort().map_err(Error::metadata("abort"))?;
        }
        Ok(outcomes)
    }

    fn write_rows(&mut self, writing: &WriteTransaction, group: &[Waiting]) -> Result<Vec<Outcome>> {
        let mut rows = writing.open_table(ROWS).map_err(Error::metadata("open"))?;
        let stored = rows.get(VERSION_KEY).map_err(Error::metadata("read"))?.map(|value| row(value.value())).transpose()?;
        self.version = self.version.max(stored.map_or(0, |row| row.version));
        let outcomes = group.iter().map(|(transaction, _)| self.write_transaction(&mut rows, transaction)).collect::<Result<_>>()?;
        rows.insert(VERSION_KEY, self.version.to_le_bytes().as_slice()).map_err(Error::metadata("write"))?;
        Ok(outcomes)
    }

    fn write_transaction(&mut self, rows: &mut Rows<'_>, transaction: &Transaction) -> Result<Outcome> {
        let keys: Vec<Vec<u8>> = transaction.changes.iter().map(|change| change.key.encode()).collect();
        for (change, key) in transaction.changes.iter().zip(&keys) {
            if !as_expected(rows, change, key)? {
                return Ok(Outcome::Conflict);
            }
        }
        for (change, key) in transaction.changes.iter().zip(&keys) {
            self.write_row(rows, key, &change.write)?;
        }
        Ok(Outcome::Committed)
    }

    fn write_row(&mut self, rows: &mut Rows<'_>, key: &[u8], write: &Write) -> Result<()> {
        match write {
            Write::Put(value) => {
                self.version += 1;
                let stored = [&self.version.to_le_bytes(), value.as_ref()].concat();
                rows.insert(key, stored.as_slice()).map_err(Error::metadata("write"))?;
            }
            Write::Delete => {
                rows.remove(key).map_err(Error::metadata("remove"))?;
            }
        }
        Ok(())
    }
}

/// Where the last version is kept, so that none is used again after a restart. No [`crate::metadata::Key`] is encoded like this.
const VERSION_KEY: &[u8] = &[u8::MAX];

type Rows<'a> = Table<'a, &'static [u8], &'static [u8]>;

fn as_expected(rows: &Rows<'_>, change: &Change, key: &[u8]) -> Result<bool> {
    if change.expect == crate::metadata::Expect::Anything {
        return Ok(true);
    }
    let stored = rows.get(key).map_err(Error::metadata("read"))?;
    let version = stored.map(|value| row(value.value())).transpose()?.map(|row| row.version);
    Ok(change.expect.holds(version))
}

impl Shared {
    /// Takes the database away from readers and waits for those that still use it.
    fn take(&self) -> Option<Database> {
        let mut database = self.database.write().take()?;
        loop {
            match Arc::try_unwrap(database) {
                Ok(last) => return Some(last),
                Err(shared) => {
                    database = shared;
                    std::thread::yield_now();
                }
            }
        }
    }

    /// Opens the database for everybody.
    fn open(&self) -> Result<()> {
        let database = self.source.open()?;
        *self.database.write() = Some(Arc::new(database));
        Ok(())
    }
}
