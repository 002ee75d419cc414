//! Metadata rows in tables of DynamoDB.
//!
//! # Tables
//! `storage.cacheDriver` names them. All have the same keys, the texts `Partition` and `Sort`, and are created when absent, paid by request:
//!
//! | key | holds |
//! |---|---|
//! | `cacheTablename` | blobs |
//! | `repoMetaTablename` | repositories, tags, referrers, marks of what image layouts do not show yet, and which changes were made |
//! | `imageMetaTablename`, or `manifestDataTablename` | manifests |
//! | `repoBlobsInfoTablename`, if absent `repoMetaTablename` | which blobs a repository has, and which manifests need them |
//! | `userDataTablename`, if absent `repoMetaTablename` | users, with their API keys |
//! | `versionTablename` | the version of the schema, and the names of the other tables |
//!
//! Several keys may name one table. Once there are rows, other names are refused: what was written would not be found.
//!
//! A key is found by its owner's name, so that `apiKeyTablename` is accepted and not used.
//!
//! Tables of zot have another key; they are told apart at the start, and never touched. A table must not be a replica of a global table in
//! which other regions write as well: conditions hold in one region only.
//!
//! # Permissions
//! On these tables: `dynamodb:CreateTable`, `dynamodb:DescribeTable`, `dynamodb:GetItem`, `dynamodb:BatchGetItem`, `dynamodb:UpdateItem`,
//! `dynamodb:DeleteItem` and `dynamodb:Scan`, which zot needs too, and `dynamodb:Query`, which it does not: lists are read in order a page at
//! a time, where zot reads whole tables. Transactions need no permission of their own: each of their changes is an update or a delete, which is
//! why rows are never put. `CreateTable` is needed only while a table is absent, and `Scan` only by a rebuild
//! and where bytes are looked for that no row speaks of; without `DescribeTable`, a start
//! looks at tables by reading a row.

mod admission;
mod attempts;
mod calls;
mod commit;
mod connection;
mod erase;
mod failure;
mod item;
mod names;
mod options;
mod place;
mod provision;
mod random;
mod read;
mod statement;
mod tables;
mod walk;

use zot_config::storage::DynamoDb;
use zot_storage::{
    Result,
    metadata::{Cursor, Key, Kind, Metadata, Outcome, Row, Scan, Transaction},
};

pub use calls::{Calls, Operation};
pub use options::{Keys, Options};

use connection::Connection;
use tables::Tables;

/// The most changes of one transaction. (DynamoDB, `TransactWriteItems`.)
const CHANGES_MAX: usize = 100;

/// Metadata in tables of DynamoDB.
#[derive(Debug)]
pub struct DynamoMetadata {
    connection: Connection,
    tables: Tables,
}

impl DynamoMetadata {
    /// Opens the tables that a configuration names, creating those that are absent.
    ///
    /// # Errors
    /// No region or credentials, a table without a name or with another one than before, a table that something else has made, or no way to
    /// DynamoDB.
    pub async fn open(config: &DynamoDb, options: Options) -> Result<Self> {
        let tables = Tables::of(config)?;
        let connection = Connection::open(config, options).await?;
        let metadata = Self { connection, tables };
        metadata.provide_tables().await?;
        metadata.keep_names().await?;
        Ok(metadata)
    }

    /// The calls that were made so far.
    pub fn calls(&self) -> Calls {
        self.connection.counters.calls()
    }
}

#[async_trait::async_trait]
impl Metadata for DynamoMetadata {
    async fn get(&self, key: &Key) -> Result<Option<Row>> {
        self.row(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>> {
        self.rows(keys).await
    }

    async fn scan(&self, scan: &Scan, limit: usize) -> Result<Vec<(Key, Row)>> {
        self.first_rows(scan, limit).await
    }

    async fn walk(&self, kind: Kind, after: Option<&Cursor>) -> Result<(Vec<(Key, Row)>, Option<Cursor>)> {
        self.walked(kind, after).await
    }

    fn changes_max(&self) -> usize {
        CHANGES_MAX
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome> {
        self.apply(transaction).await
    }

    async fn close(&self) -> Result<()> {
        // Nothing is kept back: what was acknowledged is in DynamoDB.
        Ok(())
    }
}
