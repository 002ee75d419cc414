//! Manifests of the cluster. All that is done to them can be done twice: a manifest is in memory when it is pushed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use zot_contract::{Collisions, Context, Error, ManifestInfo, ManifestPush, Manifests, PushedManifest, Result, StoredManifest};
use zot_oci::{Reference, RepositoryName};
use zot_proto::Unreachable;

use super::{
    ClusterRegistry,
    ask::{Act, Deletion},
    members::Remote,
};

#[async_trait::async_trait]
impl Manifests for ClusterRegistry {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        self.ask(cx, repository, Act::Read, |node, cx| async move { node.stat_manifest(&cx, repository, reference).await }).await
    }

    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        self.ask(cx, repository, Act::Read, |node, cx| async move { node.get_manifest(&cx, repository, reference).await }).await
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        let (push, unheard) = (&push, &AtomicBool::default());
        let put = |node: Arc<Remote>, cx: Context| async move {
            let answer = node.put_manifest(&cx, repository, push.clone()).await;
            unheard.fetch_or(answer.as_ref().is_err_and(Unreachable::caused), Ordering::Relaxed);
            answer
        };
        match self.ask(cx, repository, Act::Change, put).await {
            Err(Error::TagExists { .. }) if unheard.load(Ordering::Relaxed) => self.put_rest(cx, repository, push).await,
            answer => answer,
        }
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        let deletion = &Deletion::default();
        let delete = |node: Arc<Remote>, cx: Context| {
            deletion.attempt(async move { node.delete_manifest(&cx, repository, reference, collisions).await })
        };
        self.ask(cx, repository, Act::Change, delete).await
    }
}

impl ClusterRegistry {
    /// Pushes again after an attempt whose answer was not heard, without the tags that point to the manifest: those it has made.
    async fn put_rest(&self, cx: &Context, repository: &RepositoryName, push: &ManifestPush) -> Result<PushedManifest> {
        let mut rest = ManifestPush { tags: Vec::new(), ..push.clone() };
        for pushed in &push.tags {
            match self.stat_manifest(cx, repository, &pushed.tag.clone().into()).await {
                Ok(info) if info.digest == push.digest => {}
                Ok(_) | Err(Error::ManifestUnknown { .. } | Error::NameUnknown { .. }) => rest.tags.push(pushed.clone()),
                Err(error) => return Err(error),
            }
        }
        let rest = &rest;
        self.ask(cx, repository, Act::Change, |node, cx| async move { node.put_manifest(&cx, repository, rest.clone()).await }).await
    }
}
