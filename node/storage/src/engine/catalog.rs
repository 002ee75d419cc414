//! Lists: range reads over rows that are already in order.

use zot_contract::{Catalog, Context, Error, Page, PageRequest, Referrers, Result};
use zot_oci::{Digest, RepositoryName, Tag};

use super::Engine;
use crate::metadata::{Key, Row, Scan};

/// Referrers read at a time.
const REFERRERS_AT_A_TIME: usize = 1000;

#[async_trait::async_trait]
impl Catalog for Engine {
    async fn list_repositories(&self, _cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        let rows = self.page(&Scan::Repositories(page.after.as_deref().map(str::to_owned)), page).await?;
        Ok(entries(rows, page, |key| match key {
            Key::Repository(name) => Some(name),
            _ => None,
        }))
    }

    async fn list_tags(&self, _cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        let rows = self.page(&Scan::Tags(repository.clone(), page.after.as_deref().map(str::to_owned)), page).await?;
        if rows.is_empty() && !self.repository_exists(repository).await? {
            return Err(Error::NameUnknown { repository: repository.clone() });
        }
        Ok(entries(rows, page, |key| match key {
            Key::Tag(_, tag) => Some(tag),
            _ => None,
        }))
    }

    async fn list_referrers(&self, _cx: &Context, repository: &RepositoryName, subject: &Digest) -> Result<Referrers> {
        let (mut referrers, mut after) = (Referrers::new(), None);
        loop {
            let rows = self.metadata.scan(&Scan::Referrers(repository.clone(), *subject, after), REFERRERS_AT_A_TIME).await?;
            let full = rows.len() == REFERRERS_AT_A_TIME;
            for (key, row) in rows {
                referrers.extend(self.referrer(repository, &key, &row).await?);
                if let Key::Referrer(_, _, referrer) = key {
                    after = Some(referrer);
                }
            }
            if !full {
                return Ok(referrers);
            }
        }
    }
}

impl Engine {
    /// One row more than asked for, to see whether there is more.
    async fn page(&self, scan: &Scan, page: &PageRequest) -> crate::Result<Vec<(Key, Row)>> {
        self.metadata.scan(scan, page.entries_max.saturating_add(1)).await
    }
}

fn entries<T>(rows: Vec<(Key, Row)>, page: &PageRequest, entry: impl Fn(Key) -> Option<T>) -> Page<T> {
    let more = rows.len() > page.entries_max;
    let entries = rows.into_iter().take(page.entries_max).filter_map(|(key, _)| entry(key)).collect();
    Page { entries, more }
}
