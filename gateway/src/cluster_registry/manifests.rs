//! Manifests of the cluster. All that is done to them can be done twice: a manifest is in memory when it is pushed.

use zot_contract::{Context, ManifestInfo, ManifestPush, Manifests, PushedManifest, Result, StoredManifest};
use zot_oci::{Reference, RepositoryName};

use super::{ClusterRegistry, ask::Deletion};

#[async_trait::async_trait]
impl Manifests for ClusterRegistry {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        self.read(cx, repository, |node, cx| async move { node.stat_manifest(&cx, repository, reference).await }).await
    }

    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        self.read(cx, repository, |node, cx| async move { node.get_manifest(&cx, repository, reference).await }).await
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        let push = &push;
        self.change(cx, repository, |node, cx| async move { node.put_manifest(&cx, repository, push.clone()).await }).await
    }

    async fn delete_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<()> {
        let deletion = &Deletion::default();
        self.change(cx, repository, |node, cx| deletion.attempt(async move { node.delete_manifest(&cx, repository, reference).await }))
            .await
    }
}
