//! Lists: range reads over rows that are already in order.

use zot_contract::{Catalog, Context, Error, Page, PageRequest, ReferrersPage, Result};
use zot_oci::{Descriptor, Digest, RepositoryName, Tag};

use super::Engine;
use crate::metadata::{Key, Scan};

/// The most referrers that are read at a time: at most 8 MiB of rows, and in most repositories all there are.
const REFERRERS_AT_A_TIME: usize = 128;

#[async_trait::async_trait]
impl Catalog for Engine {
    async fn list_repositories(&self, _cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        let keys = self.page(&Scan::Repositories(page.after.as_deref().map(str::to_owned)), page).await?;
        Ok(entries(keys, page, |key| match key {
            Key::Repository(name) => Some(name),
            _ => None,
        }))
    }

    async fn list_tags(&self, _cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        let keys = self.page(&Scan::Tags(repository.clone(), page.after.as_deref().map(str::to_owned)), page).await?;
        if keys.is_empty() && !self.repository_exists(repository).await? {
            return Err(Error::NameUnknown { repository: repository.clone() });
        }
        Ok(entries(keys, page, |key| match key {
            Key::Tag(_, tag) => Some(tag),
            _ => None,
        }))
    }

    async fn list_referrers(
        &self,
        _cx: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>> {
        let (mut gathered, mut after) = (ReferrersPage::new(page.entries_max), page.after);
        let rows_max = page.entries_max.saturating_add(1).min(REFERRERS_AT_A_TIME);
        loop {
            let rows = self.metadata.scan(&Scan::Referrers(repository.clone(), *subject, after), rows_max).await?;
            let full = rows.len() == rows_max;
            for (key, row) in rows {
                let entry = self.referrer(repository, &key, &row).await?;
                if entry.is_some_and(|entry| !gathered.take(entry)) {
                    return Ok(gathered.done());
                }
                if let Key::Referrer(_, _, referrer) = key {
                    after = Some(referrer);
                }
            }
            if !full {
                return Ok(gathered.done());
            }
        }
    }
}

impl Engine {
    /// One row more than asked for, to see whether there is more.
    async fn page(&self, scan: &Scan, page: &PageRequest) -> crate::Result<Vec<Key>> {
        self.metadata.keys(scan, page.entries_max.saturating_add(1)).await
    }
}

fn entries<T>(keys: Vec<Key>, page: &PageRequest, entry: impl Fn(Key) -> Option<T>) -> Page<T> {
    let more = keys.len() > page.entries_max;
    let entries = keys.into_iter().take(page.entries_max).filter_map(entry).collect();
    Page { entries, more }
}
