//! Lists over several stores, merged in order.

use zot_contract::{Catalog, Context, Page, PageRequest, Result};
use zot_oci::{Descriptor, Digest, RepositoryName, Tag};

use super::Routed;

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Catalog for Routed {
    async fn list_repositories(&self, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        let mut pages = vec![self.default.list_repositories(cx, page).await?];
        for store in self.routes.values() {
            pages.push(store.list_repositories(cx, page).await?);
        }
        Ok(merge(pages, page.entries_max))
    }

    async fn list_tags(&self, cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        self.store(repository).list_tags(cx, repository, page).await
    }

    async fn list_referrers(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>> {
        self.store(repository).list_referrers(cx, repository, subject, page).await
    }
}

/// The first `entries_max` entries of all pages together; each page holds as many of its store, so none can be missing.
fn merge(pages: Vec<Page<RepositoryName>>, entries_max: usize) -> Page<RepositoryName> {
    let more = pages.iter().any(|page| page.more);
    let mut entries: Vec<RepositoryName> = pages.into_iter().flat_map(|page| page.entries).collect();
    entries.sort_unstable();
    entries.dedup();
    let more = more || entries.len() > entries_max;
    entries.truncate(entries_max);
    Page { entries, more }
}
