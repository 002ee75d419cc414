//! A node's registry as its cluster may ask it: what was placed on another member is refused where this one cannot know of it.
//!
//! With shared storage every member can serve every repository: ownership is for caches and locality, and safety rests on the stores' conditional
//! writes. Callers that go by an older view are told to look again, but for bodies, which cannot be sent twice. With local storage a repository
//! is where it was placed: nobody else knows whether it has anything.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::watch;
use zot_cluster::{Member, NodeId, Placement, Storage};
use zot_contract::{
    BlobBody, BlobInfo, Blobs, Catalog, Chunk, Collisions, Context, Error, Fetched, FoundUser, ManifestInfo, ManifestPush, Manifests, Page,
    PageRequest, PushedManifest, Registry, Result, Revision, StoredManifest, UploadId, UploadStatus, Uploads, UserName, UserRecord, Users,
};
use zot_oci::{Algorithm, ByteRange, Descriptor, Digest, Reference, RepositoryName, Tag};

/// When a caller who goes by a newer view than this node may try again: by then the node has it too.
const BEHIND_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A registry, and what its node owns of it.
pub struct Owned {
    registry: Arc<dyn Registry>,
    node: NodeId,
    placement: watch::Receiver<Arc<Placement>>,
}

/// Whether a call can be made again by another view.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Absent,
    /// It is gone once it was sent.
    Streamed,
}

impl Owned {
    /// What `node` serves of `registry` by the newest placement.
    pub fn new(registry: Arc<dyn Registry>, node: NodeId, placement: watch::Receiver<Arc<Placement>>) -> Self {
        Self { registry, node, placement }
    }

    /// The registry, if this node may be asked for the repository.
    fn of(&self, cx: &Context, repository: &RepositoryName, body: Body) -> Result<&dyn Registry> {
        let placement = Arc::clone(&self.placement.borrow());
        self.owned_by(placement.owner(repository), &placement, cx, body)
    }

    /// The registry, if this node may be asked for the record of the user.
    fn of_user(&self, cx: &Context, user: &UserName) -> Result<&dyn Registry> {
        let placement = Arc::clone(&self.placement.borrow());
        self.owned_by(placement.candidates_of_user(user.as_str()).first().copied(), &placement, cx, Body::Absent)
    }

    fn owned_by(&self, owner: Option<&Member>, placement: &Placement, cx: &Context, body: Body) -> Result<&dyn Registry> {
        if owner.is_some_and(|owner| owner.id == self.node) {
            return Ok(&*self.registry);
        }
        let ours = placement.view().number;
        let older = cx.routed.is_some_and(|routed| routed.view < ours);
        let failover = cx.routed.is_some_and(|routed| routed.failover);
        match placement.view().storage {
            Storage::Local if older => Err(Error::Moved { view: ours }),
            Storage::Local => Err(elsewhere(ours)),
            Storage::Shared if older && !failover && body == Body::Absent => Err(Error::Moved { view: ours }),
            Storage::Shared => Ok(&*self.registry),
        }
    }
}

fn elsewhere(view: u64) -> Error {
    let source = format!("it is on another node in view {view}").into();
    Error::Unavailable { what: "repository", retry_after: BEHIND_RETRY_AFTER, source }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Blobs for Owned {
    async fn stat_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo> {
        self.of(cx, repository, Body::Absent)?.stat_blob(cx, repository, digest).await
    }

    async fn read_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        self.of(cx, repository, Body::Absent)?.read_blob(cx, repository, digest, range).await
    }

    async fn fetch_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Fetched> {
        self.of(cx, repository, Body::Absent)?.fetch_blob(cx, repository, digest).await
    }

    async fn mount_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool> {
        self.of(cx, repository, Body::Absent)?.mount_blob(cx, repository, digest, from).await
    }

    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        self.of(cx, repository, Body::Absent)?.delete_blob(cx, repository, digest).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Uploads for Owned {
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId> {
        self.of(cx, repository, Body::Absent)?.open_upload(cx, repository, algorithm).await
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        self.of(cx, repository, Body::Absent)?.upload_status(cx, repository, upload).await
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        self.of(cx, repository, Body::Streamed)?.append_upload(cx, repository, upload, chunk).await
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        upload: UploadId,
        chunk: Chunk,
        digest: &Digest,
    ) -> Result<()> {
        self.of(cx, repository, Body::Streamed)?.finish_upload(cx, repository, upload, chunk, digest).await
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        self.of(cx, repository, Body::Absent)?.cancel_upload(cx, repository, upload).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Manifests for Owned {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        self.of(cx, repository, Body::Absent)?.stat_manifest(cx, repository, reference).await
    }

    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        self.of(cx, repository, Body::Absent)?.get_manifest(cx, repository, reference).await
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        self.of(cx, repository, Body::Absent)?.put_manifest(cx, repository, push).await
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        self.of(cx, repository, Body::Absent)?.delete_manifest(cx, repository, reference, collisions).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Catalog for Owned {
    /// What this node has, whoever asks: with local storage the caller asks every member.
    async fn list_repositories(&self, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        self.registry.list_repositories(cx, page).await
    }

    async fn list_tags(&self, cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        self.of(cx, repository, Body::Absent)?.list_tags(cx, repository, page).await
    }

    async fn list_referrers(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>> {
        self.of(cx, repository, Body::Absent)?.list_referrers(cx, repository, subject, page).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Users for Owned {
    async fn find_user(&self, cx: &Context, user: &UserName) -> Result<Option<FoundUser>> {
        self.of_user(cx, user)?.find_user(cx, user).await
    }

    async fn save_user(&self, cx: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
        self.of_user(cx, user)?.save_user(cx, user, expected, record).await
    }
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned").field("node", &self.node).field("registry", &self.registry).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
