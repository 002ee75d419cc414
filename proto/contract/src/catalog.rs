//! The role that lists: repositories, tags, referrers.

use std::sync::Arc;

use zot_oci::{Descriptor, Digest, RepositoryName, Tag};

use crate::{Context, Result};

/// The most entries of one page, whatever was asked for.
pub const PAGE_ENTRIES_MAX: usize = 10_000;

/// Lists what a registry has.
///
/// # Contract
/// - Entries come in bytewise order, each once. An entry that is there from the first page to the last is on one of them.
/// - The cost of a page depends on its size, not on how much there is.
#[async_trait::async_trait]
pub trait Catalog: Send + Sync {
    /// Repositories that have had a manifest pushed to them.
    async fn list_repositories(&self, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>>;

    /// Tags of a repository.
    async fn list_tags(&self, cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>>;

    /// Manifests of the repository whose subject is `subject`, in the order of their digests. Empty for an unknown repository or subject.
    async fn list_referrers(&self, cx: &Context, repository: &RepositoryName, subject: &Digest) -> Result<Referrers>;
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Only entries after this one, which need not exist.
    pub after: Option<Arc<str>>,
    /// The most entries, at most [`PAGE_ENTRIES_MAX`].
    pub entries_max: usize,
}

impl PageRequest {
    /// The first `entries_max` entries.
    pub fn first(entries_max: usize) -> Self {
        Self { after: None, entries_max }
    }

    /// The `entries_max` entries that come after `entry`.
    pub fn after(entry: &str, entries_max: usize) -> Self {
        Self { after: Some(entry.into()), entries_max }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, in order.
    pub entries: Vec<T>,
    /// Whether more follow the last entry.
    pub more: bool,
}

/// The manifests that refer to a subject, as an index lists them.
pub type Referrers = Vec<Descriptor>;
