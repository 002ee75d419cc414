//! Lists of the cluster.

use std::{iter, sync::Arc};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use zot_cluster::{Placement, Storage};
use zot_contract::{Catalog, Context, Error, Page, PageRequest, Result};
use zot_oci::{Descriptor, Digest, RepositoryName, Tag};

use super::{ClusterRegistry, ask::Act, members::Remote, merge::merge, unavailable};

/// The most members that are asked for a page at a time.
const ASKED_AT_ONCE_MAX: usize = 16;

#[async_trait::async_trait]
impl Catalog for ClusterRegistry {
    async fn list_repositories(&self, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        let placement = self.directory.placement()?;
        let listed = match placement.view().storage {
            Storage::Shared => self.list_of_any(&placement, cx, page).await,
            Storage::Local => self.list_of_all(&placement, cx, page).await,
        };
        match listed {
            Err(Error::Moved { .. }) => Err(unavailable("who has the repositories changes at the moment")),
            listed => listed,
        }
    }

    async fn list_tags(&self, cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        self.ask(cx, repository, Act::Read, |node, cx| async move { node.list_tags(&cx, repository, page).await }).await
    }

    async fn list_referrers(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>> {
        self.ask(cx, repository, Act::Read, |node, cx| async move { node.list_referrers(&cx, repository, subject, page).await }).await
    }
}

impl ClusterRegistry {
    /// A page of a list that every member has. Requests spread over the members.
    async fn list_of_any(&self, placement: &Placement, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        let mut owners: Vec<_> = placement.view().owners().collect();
        let first = self.members.turn() % owners.len().max(1);
        owners.rotate_left(first);
        let list = |node: Arc<Remote>, cx: Context| async move { node.list_repositories(&cx, page).await };
        let candidates = self.candidates(placement, owners.into_iter())?;
        self.ask_by(placement, cx, candidates, Act::Read, &list).await
    }

    /// A page of the lists of all members together. Each of them must answer.
    async fn list_of_all(&self, placement: &Placement, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        let list = |node: Arc<Remote>, cx: Context| async move { node.list_repositories(&cx, page).await };
        let mut asked = Vec::new();
        for owner in placement.view().owners() {
            asked.push(self.ask_by(placement, cx, self.candidates(placement, iter::once(owner))?, Act::Read, &list));
        }
        let pages: Vec<_> = stream::iter(asked).buffer_unordered(ASKED_AT_ONCE_MAX).try_collect().await?;
        if pages.is_empty() {
            return Err(unavailable("no member can own repositories at the moment"));
        }
        Ok(merge(pages, page.entries_max))
    }
}
