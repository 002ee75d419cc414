//! Manifests of the cluster. All that is done to them can be asked for twice: a manifest is in memory when it is pushed, and members see to it that
//! of all attempts at a change one is made.

use std::sync::Arc;

use zot_contract::{Collisions, Context, ManifestInfo, ManifestPush, Manifests, PushedManifest, Result, StoredManifest};
use zot_oci::{Reference, RepositoryName};

use super::{ClusterRegistry, ask::Act, members::Remote};

#[async_trait::async_trait]
impl Manifests for ClusterRegistry {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        self.ask(cx, repository, Act::Read, |node, cx| async move { node.stat_manifest(&cx, repository, reference).await }).await
    }

    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        self.ask(cx, repository, Act::Read, |node, cx| async move { node.get_manifest(&cx, repository, reference).await }).await
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        let push = &push;
        self.ask(cx, repository, Act::Change, |node, cx| async move { node.put_manifest(&cx, repository, push.clone()).await }).await
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        let delete = |node: Arc<Remote>, cx: Context| async move { node.delete_manifest(&cx, repository, reference, collisions).await };
        self.ask(cx, repository, Act::Change, delete).await
    }
}
