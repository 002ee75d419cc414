//! The role that lists: repositories, tags, referrers.

use std::sync::Arc;

use zot_oci::{Descriptor, Digest, RepositoryName, Tag};

use crate::{Context, Result};

/// The most entries of one page, whatever was asked for.
pub const PAGE_ENTRIES_MAX: usize = 10_000;

/// The most bytes that a page of referrers has as JSON, unless one entry alone has more: with what an index has around them they stay within the
/// 4 MiB that clients read of a manifest.
pub const REFERRERS_BYTES_MAX: usize = (4 << 20) - 1024;

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

    /// Manifests of the repository whose subject is `subject`, in the order of their digests. Empty for an unknown repository or subject. A page
    /// ends before it has more than [`REFERRERS_BYTES_MAX`], and has one entry at least of what there is, if any is asked for.
    async fn list_referrers(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>>;
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<T = Arc<str>> {
    /// Only entries after this one, which need not exist.
    pub after: Option<T>,
    /// The most entries, at most [`PAGE_ENTRIES_MAX`].
    pub entries_max: usize,
}

impl<T> PageRequest<T> {
    /// The first `entries_max` entries.
    pub fn first(entries_max: usize) -> Self {
        Self { after: None, entries_max }
    }
}

impl PageRequest {
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

/// A page of referrers while it is gathered.
#[derive(Debug)]
pub struct ReferrersPage {
    page: Page<Descriptor>,
    entries_max: usize,
    bytes: usize,
}

impl ReferrersPage {
    /// A page that has room for `entries_max` entries.
    pub fn new(entries_max: usize) -> Self {
        Self { page: Page { entries: Vec::new(), more: false }, entries_max: entries_max.min(PAGE_ENTRIES_MAX), bytes: 0 }
    }

    /// Takes the next entry, if there is room for it. If there is none, the page is over and more follow.
    pub fn take(&mut self, entry: Descriptor) -> bool {
        // The comma before it counts too.
        let bytes = self.bytes + entry.json_bytes() + 1;
        let alone = self.page.entries.is_empty();
        let room = self.page.entries.len() < self.entries_max && (alone || bytes <= REFERRERS_BYTES_MAX);
        if room {
            self.bytes = bytes;
            self.page.entries.push(entry);
        }
        self.page.more |= !room;
        room
    }

    /// What was taken.
    pub fn done(self) -> Page<Descriptor> {
        self.page
    }
}
