//! A registry whose calls go to one engine after the other.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use zot_contract::{
    BlobBody, BlobInfo, Blobs, Catalog, Chunk, Collisions, Context, Fetched, FoundUser, ManifestInfo, ManifestPush, Manifests, Page,
    PageRequest, PushedManifest, Registry, Result, Revision, StoredManifest, UploadId, UploadStatus, Uploads, UserName, UserRecord, Users,
};
use zot_oci::{Algorithm, ByteRange, Descriptor, Digest, Reference, RepositoryName, Tag};

#[derive(Debug)]
pub(crate) struct RoundRobin {
    registries: Vec<Arc<dyn Registry>>,
    calls: AtomicUsize,
}

impl RoundRobin {
    pub(crate) fn new(registries: Vec<Arc<dyn Registry>>) -> Self {
        Self { registries, calls: AtomicUsize::new(0) }
    }

    fn next(&self) -> &dyn Registry {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.registries[call % self.registries.len()].as_ref()
    }
}

#[async_trait::async_trait]
impl Blobs for RoundRobin {
    async fn stat_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo> {
        self.next().stat_blob(cx, repository, digest).await
    }

    async fn read_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        self.next().read_blob(cx, repository, digest, range).await
    }

    async fn fetch_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Fetched> {
        self.next().fetch_blob(cx, repository, digest).await
    }

    async fn mount_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool> {
        self.next().mount_blob(cx, repository, digest, from).await
    }

    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        self.next().delete_blob(cx, repository, digest).await
    }
}

#[async_trait::async_trait]
impl Uploads for RoundRobin {
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId> {
        self.next().open_upload(cx, repository, algorithm).await
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        self.next().upload_status(cx, repository, upload).await
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        self.next().append_upload(cx, repository, upload, chunk).await
    }

    async fn finish_upload(&self, cx: &Context, name: &RepositoryName, upload: UploadId, chunk: Chunk, digest: &Digest) -> Result<()> {
        self.next().finish_upload(cx, name, upload, chunk, digest).await
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        self.next().cancel_upload(cx, repository, upload).await
    }
}

#[async_trait::async_trait]
impl Manifests for RoundRobin {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        self.next().stat_manifest(cx, repository, reference).await
    }

    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        self.next().get_manifest(cx, repository, reference).await
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        self.next().put_manifest(cx, repository, push).await
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        self.next().delete_manifest(cx, repository, reference, collisions).await
    }
}

#[async_trait::async_trait]
impl Catalog for RoundRobin {
    async fn list_repositories(&self, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        self.next().list_repositories(cx, page).await
    }

    async fn list_tags(&self, cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        self.next().list_tags(cx, repository, page).await
    }

    async fn list_referrers(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>> {
        self.next().list_referrers(cx, repository, subject, page).await
    }
}

#[async_trait::async_trait]
impl Users for RoundRobin {
    async fn find_user(&self, cx: &Context, user: &UserName) -> Result<Option<FoundUser>> {
        self.next().find_user(cx, user).await
    }

    async fn save_user(&self, cx: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
        self.next().save_user(cx, user, expected, record).await
    }
}
