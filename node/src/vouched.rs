//! A node's registry for callers whom a gateway vouches for: what the claim of a call does not grant is refused, whoever calls.
//!
//! Everything of the contract passes here, and each method says what it needs. What a gateway decides more finely (which tags may be moved, which
//! repositories are shown) is its own business.

use std::sync::Arc;

use zot_cluster::{Acts, Claim, ClaimKey, Disbelieved, Grants};
use zot_contract::{
    BlobBody, BlobInfo, Blobs, Catalog, Chunk, Collisions, Context, Error, Fetched, FoundUser, ManifestInfo, ManifestPush, Manifests, Page,
    PageRequest, PushedManifest, Registry, Result, Revision, StoredManifest, UploadId, UploadStatus, Uploads, UserName, UserRecord, Users,
};
use zot_oci::{Algorithm, ByteRange, Descriptor, Digest, Reference, RepositoryName, Tag};
use zot_storage::WallClock;

/// A registry that asks whoever calls for a claim.
#[derive(Debug)]
pub struct Vouched {
    registry: Arc<dyn Registry>,
    key: ClaimKey,
    wall: WallClock,
}

/// Why a call is refused. No client ever sees it: it means that somebody else is on the internal plane, or that a gateway is wrong.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("nobody vouches for the call")]
    Nobody,
    #[error("believe the claim of the call")]
    Disbelieved(#[from] Disbelieved),
    #[error("the claim is somebody else's")]
    Subject,
    #[error("the claim does not grant {act}")]
    Act { act: &'static str },
}

impl Vouched {
    /// A registry for callers who show claims that were sealed under `key`.
    pub fn new(registry: Arc<dyn Registry>, key: ClaimKey) -> Self {
        Self { registry, key, wall: WallClock::default() }
    }

    /// The same, which takes the time of day from a clock.
    #[must_use]
    pub fn with_wall_clock(self, wall: WallClock) -> Self {
        Self { wall, ..self }
    }

    fn claim(&self, cx: &Context) -> std::result::Result<Claim, Refused> {
        let sealed = cx.claim.as_ref().ok_or(Refused::Nobody)?;
        let claim = self.key.open_at(sealed.as_bytes(), self.wall.now())?;
        if claim.subject != cx.subject.name() {
            return Err(Refused::Subject);
        }
        Ok(claim)
    }

    /// The registry, if the claim of the call grants what `needed` asks for on `repository`.
    fn on(&self, cx: &Context, repository: &RepositoryName, act: &'static str, needed: fn(Acts) -> bool) -> Result<&dyn Registry> {
        let granted = self.claim(cx).map(|claim| needed(claim.acts_on(repository)));
        self.where_granted(cx, act, granted)
    }

    fn where_granted(&self, cx: &Context, act: &'static str, granted: std::result::Result<bool, Refused>) -> Result<&dyn Registry> {
        let refused = match granted {
            Ok(true) => return Ok(&*self.registry),
            Ok(false) => Refused::Act { act },
            Err(refused) => refused,
        };
        tracing::warn!(request = %cx.request, error = %refused, "refused to {act} for a member of the cluster");
        Err(Error::internal(refused))
    }

    fn users(&self, cx: &Context) -> Result<&dyn Registry> {
        let granted = self.claim(cx).map(|claim| claim.grants == Grants::Users);
        self.where_granted(cx, "know users", granted)
    }
}

/// Who pushes and who deletes is told what is there already, so that both can be done again.
fn any(acts: Acts) -> bool {
    acts != Acts::default()
}

fn read(acts: Acts) -> bool {
    acts.read
}

fn create(acts: Acts) -> bool {
    acts.create
}

fn push(acts: Acts) -> bool {
    acts.create || acts.update
}

fn delete(acts: Acts) -> bool {
    acts.delete
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Blobs for Vouched {
    async fn stat_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo> {
        self.on(cx, repository, "see a blob", any)?.stat_blob(cx, repository, digest).await
    }

    async fn read_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        self.on(cx, repository, "read a blob", read)?.read_blob(cx, repository, digest, range).await
    }

    async fn fetch_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Fetched> {
        self.on(cx, repository, "read a blob", read)?.fetch_blob(cx, repository, digest).await
    }

    async fn mount_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool> {
        if let Some(from) = from {
            self.on(cx, from, "mount from there", read)?;
        }
        self.on(cx, repository, "mount a blob", create)?.mount_blob(cx, repository, digest, from).await
    }

    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        self.on(cx, repository, "delete a blob", delete)?.delete_blob(cx, repository, digest).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Uploads for Vouched {
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId> {
        self.on(cx, repository, "open an upload", create)?.open_upload(cx, repository, algorithm).await
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        self.on(cx, repository, "see an upload", create)?.upload_status(cx, repository, upload).await
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        self.on(cx, repository, "append to an upload", create)?.append_upload(cx, repository, upload, chunk).await
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        upload: UploadId,
        chunk: Chunk,
        digest: &Digest,
    ) -> Result<()> {
        self.on(cx, repository, "finish an upload", create)?.finish_upload(cx, repository, upload, chunk, digest).await
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        self.on(cx, repository, "cancel an upload", create)?.cancel_upload(cx, repository, upload).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Manifests for Vouched {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        self.on(cx, repository, "see a manifest", any)?.stat_manifest(cx, repository, reference).await
    }

    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        self.on(cx, repository, "read a manifest", read)?.get_manifest(cx, repository, reference).await
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, pushed: ManifestPush) -> Result<PushedManifest> {
        self.on(cx, repository, "push a manifest", push)?.put_manifest(cx, repository, pushed).await
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        self.on(cx, repository, "delete a manifest", delete)?.delete_manifest(cx, repository, reference, collisions).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Catalog for Vouched {
    async fn list_repositories(&self, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        let granted = self.claim(cx).map(|claim| claim.grants == Grants::Catalog);
        self.where_granted(cx, "list repositories", granted)?.list_repositories(cx, page).await
    }

    async fn list_tags(&self, cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        self.on(cx, repository, "list tags", read)?.list_tags(cx, repository, page).await
    }

    async fn list_referrers(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>> {
        self.on(cx, repository, "list referrers", read)?.list_referrers(cx, repository, subject, page).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Users for Vouched {
    async fn find_user(&self, cx: &Context, user: &UserName) -> Result<Option<FoundUser>> {
        self.users(cx)?.find_user(cx, user).await
    }

    async fn save_user(&self, cx: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
        self.users(cx)?.save_user(cx, user, expected, record).await
    }
}

#[cfg(test)]
mod tests {
    use zot_contract::{MemoryRegistry, RequestId, SealedClaim, Subject};

    use super::*;

    const KEY: &[u8] = b"secret of the cluster";

    fn registry() -> Vouched {
        Vouched::new(Arc::new(MemoryRegistry::default()), ClaimKey::new(KEY))
    }

    fn cx(user: &str, claim: Option<Claim>) -> Context {
        let cx = Context::new(Subject::of_name(user), RequestId::new("test"));
        match claim {
            Some(claim) => cx.claimed(SealedClaim::new(ClaimKey::new(KEY).seal(&claim))),
            None => cx,
        }
    }

    fn on(user: &str, name: &str, acts: Acts) -> Option<Claim> {
        Some(Claim::new(user, Grants::Repository { name: name.to_owned(), acts, from: None }))
    }

    async fn opens(cx: &Context) -> bool {
        registry().open_upload(cx, &"app".parse().unwrap(), Algorithm::default()).await.is_ok()
    }

    #[tokio::test]
    async fn only_what_is_granted_to_the_one_who_asks_is_done() {
        let (create, read) = (Acts { create: true, ..Acts::default() }, Acts { read: true, ..Acts::default() });
        assert!(opens(&cx("alice", on("alice", "app", create))).await);
        assert!(!opens(&cx("alice", None)).await, "nobody vouches");
        assert!(!opens(&cx("alice", on("alice", "app", read))).await, "another act");
        assert!(!opens(&cx("alice", on("alice", "other", create))).await, "another repository");
        assert!(!opens(&cx("bob", on("alice", "app", create))).await, "another one's claim");
        assert!(!opens(&cx("alice", Some(Claim::new("alice", Grants::Catalog)))).await, "the list is not what is in it");
        let other = SealedClaim::new(ClaimKey::new(b"other").seal(&on("alice", "app", create).unwrap()));
        assert!(!opens(&Context::new(Subject::of_name("alice"), RequestId::new("test")).claimed(other)).await, "another key");
    }

    #[tokio::test]
    async fn users_are_known_to_gateways_alone() {
        let user = "alice".parse().unwrap();
        assert_eq!(registry().find_user(&cx("", Some(Claim::new("", Grants::Users))), &user).await.unwrap(), None);
        registry().find_user(&cx("alice", on("alice", "app", Acts { read: true, ..Acts::default() })), &user).await.unwrap_err();
    }
}
