//! Where each row is: its table, its partition and its place in the order of that partition.
//!
//! Both parts of a key are text, so that a row can be found with any tool: DynamoDB sorts text by its bytes, and names, tags and digests as
//! text sort as [`Key`]s do. A partition begins with the kind of its rows, so that several kinds, or all, can share one table.

use std::fmt;

use zot_oci::{Digest, RepositoryName};
use zot_storage::metadata::{Key, Kind, Scan};

/// Partitions of the marks of the projector. Every push of a manifest, whatever the repository, writes and later removes one.
const MARK_PARTITIONS: u8 = 8;

/// Partitions of operations. Every change that a cluster is asked for writes one.
const OPERATION_PARTITIONS: u8 = 8;

/// Stands between the parts of a key. No name, tag or digest contains it, and it sorts before every character of a name.
const SEPARATOR: char = '#';

/// Comes next after [`SEPARATOR`]: ends the places that start with a name.
const AFTER_SEPARATOR: char = '$';

/// The most bytes of a text to go on after: longer ones are cut. No name is as long, so that what is cut off decides nothing.
const AFTER_BYTES_MAX: usize = 512;

/// A table, by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// Blobs that repositories share (`cacheTablename`).
    Blobs,
    /// Repositories, tags, referrers, marks of the projector and operations (`repoMetaTablename`).
    Repositories,
    /// Manifests (`imageMetaTablename`).
    Manifests,
    /// Which blobs a repository has, and which manifests need them (`repoBlobsInfoTablename`).
    RepositoryBlobs,
    /// Users, with their API keys (`userDataTablename`).
    Users,
    /// The version of the schema (`versionTablename`).
    Version,
}

/// Where a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) table: Table,
    pub(crate) partition: String,
    pub(crate) sort: String,
}

/// Where the rows of a scan are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) table: Table,
    /// The rows of each are in order; those of several are to be merged.
    pub(crate) partitions: Vec<String>,
    /// The place that the first row comes after.
    pub(crate) after: Option<String>,
    /// The place that the last row comes before. Neither is a place of a row if both are given.
    pub(crate) before: Option<String>,
}

impl Table {
    pub(crate) const ALL: [Self; 6] = [Self::Blobs, Self::Repositories, Self::Manifests, Self::RepositoryBlobs, Self::Users, Self::Version];
}

impl From<Kind> for Table {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Blobs => Self::Blobs,
            Kind::Links => Self::RepositoryBlobs,
            Kind::Manifests => Self::Manifests,
        }
    }
}

impl Place {
    /// The place of a row.
    pub(crate) fn of(key: &Key) -> Self {
        let (table, partition, sort) = match key {
            Key::Schema => (Table::Version, "schema".to_owned(), "version".to_owned()),
            Key::Repository(name) => (Table::Repositories, repositories(), name.to_string()),
            Key::Tag(name, tag) => (Table::Repositories, tags(name), tag.to_string()),
            Key::Manifest(name, digest) => (Table::Manifests, manifests(name), digest.to_string()),
            Key::Referrer(name, subject, digest) => (Table::Repositories, referrers(name, subject), digest.to_string()),
            Key::Reference(name, target, digest) => (Table::RepositoryBlobs, references(name, target), digest.to_string()),
            Key::Link(name, digest) => (Table::RepositoryBlobs, links(name), digest.to_string()),
            Key::Blob(digest) => (Table::Blobs, joined(&"blobs", digest), "blob".to_owned()),
            Key::Unprojected(name, digest) => (Table::Repositories, marks(mark_partition(name)), joined(name, digest)),
            Key::User(name) => (Table::Users, users(), name.to_string()),
            Key::Condemned(place) => (Table::Blobs, condemned(), place.clone()),
            Key::Operation(id) => (Table::Repositories, operations(operation_partition(id.as_bytes())), id.to_string()),
        };
        Self { table, partition, sort }
    }
}

/// The row that is at a place; none if no row is ever put there.
pub(crate) fn key(partition: &str, sort: &str) -> Option<Key> {
    let mut parts = partition.split(SEPARATOR);
    let kind = parts.next()?;
    let mut part = || parts.next();
    Some(match kind {
        "schema" => Key::Schema,
        "repositories" => Key::Repository(sort.parse().ok()?),
        "tags" => Key::Tag(part()?.parse().ok()?, sort.parse().ok()?),
        "manifests" => Key::Manifest(part()?.parse().ok()?, sort.parse().ok()?),
        "referrers" => Key::Referrer(part()?.parse().ok()?, part()?.parse().ok()?, sort.parse().ok()?),
        "references" => Key::Reference(part()?.parse().ok()?, part()?.parse().ok()?, sort.parse().ok()?),
        "links" => Key::Link(part()?.parse().ok()?, sort.parse().ok()?),
        "blobs" => Key::Blob(part()?.parse().ok()?),
        "marks" => {
            let (name, digest) = sort.split_once(SEPARATOR)?;
            Key::Unprojected(name.parse().ok()?, digest.parse().ok()?)
        }
        "users" => Key::User(sort.parse().ok()?),
        "condemned" => Key::Condemned(sort.to_owned()),
        "operations" => Key::Operation(sort.parse().ok()?),
        _ => return None,
    })
}

/// Whether the rows of a partition are of a kind.
pub(crate) fn is_of(kind: Kind, partition: &str) -> bool {
    let name = match kind {
        Kind::Blobs => "blobs",
        Kind::Links => "links",
        Kind::Manifests => "manifests",
    };
    partition.split(SEPARATOR).next() == Some(name)
}

impl Range {
    /// Where the rows of a scan are.
    pub(crate) fn of(scan: &Scan) -> Self {
        let one = |table, partition, after| Self { table, partitions: vec![partition], after, before: None };
        let digest = |after: &Option<Digest>| after.map(|digest| digest.to_string());
        match scan {
            Scan::Repositories(after) => one(Table::Repositories, repositories(), text(after.as_deref())),
            Scan::Tags(name, after) => one(Table::Repositories, tags(name), text(after.as_deref())),
            Scan::Manifests(name, after) => one(Table::Manifests, manifests(name), digest(after)),
            Scan::Referrers(name, subject, after) => one(Table::Repositories, referrers(name, subject), digest(after)),
            Scan::References(name, target) => one(Table::RepositoryBlobs, references(name, target), None),
            Scan::Links(name, after) => one(Table::RepositoryBlobs, links(name), digest(after)),
            Scan::Unprojected(after) => Self {
                table: Table::Repositories,
                partitions: (0..MARK_PARTITIONS).map(marks).collect(),
                after: after.as_ref().map(|(name, digest)| joined(name, digest)),
                before: None,
            },
            Scan::UnprojectedOf(name) => Self {
                table: Table::Repositories,
                partitions: vec![marks(mark_partition(name))],
                after: Some(format!("{name}{SEPARATOR}")),
                before: Some(format!("{name}{AFTER_SEPARATOR}")),
            },
            Scan::Users(after) => one(Table::Users, users(), text(after.as_deref())),
            Scan::Condemned(after) => one(Table::Blobs, condemned(), text(after.as_deref())),
            Scan::Operations(after) => Self {
                table: Table::Repositories,
                partitions: (0..OPERATION_PARTITIONS).map(operations).collect(),
                after: after.map(|id| id.to_string()),
                before: None,
            },
        }
    }
}

/// One partition for all repositories: a row of it is written once in the life of a repository and read when a manifest is pushed, which is
/// far below what a partition can do, and the catalog is one query in order.
fn repositories() -> String {
    "repositories".to_owned()
}

/// One partition for all users: their records are read once in a while by each gateway, and written when somebody makes a key.
fn users() -> String {
    "users".to_owned()
}

fn tags(name: &RepositoryName) -> String {
    joined(&"tags", name)
}

fn manifests(name: &RepositoryName) -> String {
    joined(&"manifests", name)
}

/// A repository's links are in one partition, however many they are: DynamoDB splits a partition that stays busy by its sort key, and digests
/// split evenly. Spreading them by hand would do no more, and would make every listing many queries.
fn links(name: &RepositoryName) -> String {
    joined(&"links", name)
}

fn referrers(name: &RepositoryName, subject: &Digest) -> String {
    joined(&joined(&"referrers", name), subject)
}

fn references(name: &RepositoryName, target: &Digest) -> String {
    joined(&joined(&"references", name), target)
}

fn marks(partition: u8) -> String {
    joined(&"marks", &partition)
}

/// The same in every release and on every machine, or marks would not be found again.
fn mark_partition(name: &RepositoryName) -> u8 {
    let hash = Digest::sha256(name.as_str().as_bytes());
    hash.value().first().map_or(0, |byte| byte % MARK_PARTITIONS)
}

fn operations(partition: u8) -> String {
    joined(&"operations", &partition)
}

/// By the last byte, which is chance; the first ones are the time.
fn operation_partition([.., last]: &[u8; 16]) -> u8 {
    last % OPERATION_PARTITIONS
}

/// One partition: there are as many as processes died at a certain moment.
fn condemned() -> String {
    "condemned".to_owned()
}

fn joined(start: &dyn fmt::Display, end: &dyn fmt::Display) -> String {
    format!("{start}{SEPARATOR}{end}")
}

/// A text to go on after, as DynamoDB takes it: neither empty nor longer than a key may be.
fn text(after: Option<&str>) -> Option<String> {
    let after = after.filter(|after| !after.is_empty())?;
    let end = after.floor_char_boundary(AFTER_BYTES_MAX);
    after.get(..end).map(str::to_owned)
}

#[cfg(test)]
mod tests;
