//! Lists, in memory.

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    ops::Bound::{self, Excluded, Unbounded},
};

use zot_oci::{Descriptor, Digest, RepositoryName, Tag};

use super::{Held, MemoryRegistry};
use crate::{Catalog, Context, PAGE_ENTRIES_MAX, Page, PageRequest, ReferrersPage, Result};

#[async_trait::async_trait]
impl Catalog for MemoryRegistry {
    async fn list_repositories(&self, _: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        let state = self.state.lock();
        let names = after(&state.repositories, page).filter(|(_, held)| held.listed).map(|(name, _)| name);
        Ok(cut(names, page))
    }

    async fn list_tags(&self, _: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        let state = self.state.lock();
        let tags = &state.repository(repository)?.tags;
        Ok(cut(after(tags, page).map(|(tag, _)| tag), page))
    }

    async fn list_referrers(
        &self,
        _: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>> {
        let state = self.state.lock();
        let start: Bound<Digest> = page.after.map_or(Unbounded, Excluded);
        let manifests = state.repositories.get(repository).into_iter().flat_map(|held| held.manifests.range((start, Unbounded)));
        let refers = |held: &Held| held.content.subject.as_ref().is_some_and(|found| found.digest == *subject);
        let mut entries = manifests.filter(|(_, held)| refers(held)).map(|(digest, held)| held.describe(*digest));
        let mut page = ReferrersPage::new(page.entries_max);
        while entries.next().is_some_and(|entry| page.take(entry)) {}
        Ok(page.done())
    }
}

impl Held {
    fn describe(&self, digest: Digest) -> Descriptor {
        Descriptor {
            media_type: self.media_type.to_string(),
            digest,
            size: self.bytes.len() as u64,
            artifact_type: self.content.artifact_type.clone(),
            annotations: self.content.annotations.clone(),
        }
    }
}

/// The entries after the one that the page starts after.
fn after<'a, K: Ord + Borrow<str>, V>(map: &'a BTreeMap<K, V>, page: &PageRequest) -> impl Iterator<Item = (&'a K, &'a V)> {
    let start: Bound<&str> = page.after.as_deref().map_or(Unbounded, Excluded);
    map.range::<str, _>((start, Unbounded))
}

fn cut<'a, K: Clone + 'a>(mut keys: impl Iterator<Item = &'a K>, page: &PageRequest) -> Page<K> {
    let entries = keys.by_ref().take(page.entries_max.min(PAGE_ENTRIES_MAX)).cloned().collect();
    Page { entries, more: keys.next().is_some() }
}
