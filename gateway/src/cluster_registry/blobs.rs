//! Blobs of the cluster.

use std::sync::Arc;

use zot_cluster::Storage;
use zot_contract::{BlobBody, BlobInfo, Blobs, Context, Error, Fetched, Result};
use zot_oci::{ByteRange, Digest, RepositoryName};

use super::{
    ClusterRegistry,
    ask::Act,
    continued::{Wanted, continued},
    members::Remote,
};

#[async_trait::async_trait]
impl Blobs for ClusterRegistry {
    async fn stat_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo> {
        self.ask(cx, repository, Act::Read, |node, cx| async move { node.stat_blob(&cx, repository, digest).await }).await
    }

    async fn read_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        let (body, node) = self.read_of(cx, repository, digest, range).await?;
        let wanted = Wanted { cx: cx.clone(), repository: repository.clone(), digest: *digest, range };
        Ok(continued(self.clone(), wanted, body, node))
    }

    async fn fetch_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Fetched> {
        let fetch = |node: Arc<Remote>, cx: Context| async move { Ok((node.fetch_blob(&cx, repository, digest).await?, node)) };
        let (body, node) = match self.ask(cx, repository, Act::Read, fetch).await? {
            (Fetched::Here(body), node) => (body, node),
            (elsewhere, _) => return Ok(elsewhere),
        };
        let wanted = Wanted { cx: cx.clone(), repository: repository.clone(), digest: *digest, range: None };
        Ok(Fetched::Here(continued(self.clone(), wanted, body, node)))
    }

    /// With local storage the bytes of another member are out of reach: whoever asked uploads what is not there yet.
    async fn mount_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool> {
        if from.is_some_and(|from| self.are_apart(from, repository)) {
            return self.has_blob(cx, repository, digest).await;
        }
        self.ask(cx, repository, Act::Change, |node, cx| async move { node.mount_blob(&cx, repository, digest, from).await }).await
    }

    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        self.ask(cx, repository, Act::Change, |node, cx| async move { node.delete_blob(&cx, repository, digest).await }).await
    }
}

impl ClusterRegistry {
    /// A blob, and which member sends it.
    pub(super) async fn read_of(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        digest: &Digest,
        range: Option<ByteRange>,
    ) -> Result<(BlobBody, Arc<Remote>)> {
        let read = |node: Arc<Remote>, cx: Context| async move { Ok((node.read_blob(&cx, repository, digest, range).await?, node)) };
        self.ask(cx, repository, Act::Read, read).await
    }

    async fn has_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<bool> {
        match self.stat_blob(cx, repository, digest).await {
            Ok(_) => Ok(true),
            Err(Error::BlobUnknown { .. } | Error::NameUnknown { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether two repositories are on disks of different members.
    fn are_apart(&self, one: &RepositoryName, other: &RepositoryName) -> bool {
        self.directory.placement().is_ok_and(|placement| {
            let owner = |repository| placement.owner(repository).map(|member| member.id);
            placement.view().storage == Storage::Local && owner(one) != owner(other)
        })
    }
}
