//! A registry that does one thing wrong, or otherwise, and everything else as the one in memory.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::time::Duration;
use tokio::sync::Notify;
use zot_contract::{
    BlobBody, BlobInfo, Blobs, Catalog, Chunk, Collisions, Context, Error, FoundUser, ManifestInfo, ManifestPush, Manifests,
    MemoryRegistry, Page, PageRequest, PushedManifest, Result, Revision, StoredManifest, UploadId, UploadStatus, Uploads, UserName,
    UserRecord, Users,
};
use zot_oci::{Algorithm, ByteRange, Descriptor, Digest, Reference, RepositoryName, Tag};

use super::held;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Looking at a manifest panics.
    Panic,
    /// Looking at a manifest fails.
    Internal,
    /// Looking at a manifest fails for now.
    Unavailable,
    /// Blobs end before their end.
    ShortBlobs,
    /// Blobs never go on after their first bytes.
    StuckBlobs,
    /// Looking at a manifest waits until it is let go.
    Held,
    /// Nothing is wrong with blobs, but the system holds most of them: in files and in pipes, with bytes in memory between them.
    HeldBlobs,
    /// The file in which the system holds a blob ends within it.
    CutBlobs,
}

/// The registry.
#[derive(Debug)]
pub(crate) struct Scripted {
    memory: MemoryRegistry,
    fault: Fault,
    /// What a held call waits for.
    pub(crate) entered: std::sync::Arc<Notify>,
    pub(crate) released: std::sync::Arc<Notify>,
}

impl Scripted {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { memory: MemoryRegistry::default(), fault, entered: std::sync::Arc::default(), released: std::sync::Arc::default() }
    }

    async fn look(&self) -> Result<()> {
        match self.fault {
            Fault::Panic => panic!("scripted"),
            Fault::Internal => Err(Error::internal("scripted secret")),
            Fault::Unavailable => {
                Err(Error::Unavailable { what: "storage", retry_after: Duration::from_secs(3), source: "scripted secret".into() })
            }
            Fault::Held => {
                self.entered.notify_one();
                self.released.notified().await;
                Ok(())
            }
            Fault::ShortBlobs | Fault::StuckBlobs | Fault::HeldBlobs | Fault::CutBlobs => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl Blobs for Scripted {
    async fn stat_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo> {
        self.memory.stat_blob(cx, repository, digest).await
    }

    async fn read_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        let blob = self.memory.read_blob(cx, repository, digest, range).await?;
        let size = blob.size;
        let first = stream::iter([Ok(Bytes::from_static(b"x").into())]);
        let stream = match self.fault {
            Fault::ShortBlobs => first.boxed(),
            Fault::StuckBlobs => first.chain(stream::pending()).boxed(),
            Fault::HeldBlobs => held::pieces(&blob.in_memory().try_collect::<Vec<_>>().await?.concat()),
            Fault::CutBlobs => held::cut(&blob.in_memory().try_collect::<Vec<_>>().await?.concat()),
            _ => blob.stream,
        };
        Ok(BlobBody { size, stream })
    }

    async fn mount_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool> {
        self.memory.mount_blob(cx, repository, digest, from).await
    }

    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        self.memory.delete_blob(cx, repository, digest).await
    }
}

#[async_trait::async_trait]
impl Uploads for Scripted {
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId> {
        self.memory.open_upload(cx, repository, algorithm).await
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        self.memory.upload_status(cx, repository, upload).await
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        self.memory.append_upload(cx, repository, upload, chunk).await
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        upload: UploadId,
        chunk: Chunk,
        digest: &Digest,
    ) -> Result<()> {
        self.memory.finish_upload(cx, repository, upload, chunk, digest).await
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        self.memory.cancel_upload(cx, repository, upload).await
    }
}

#[async_trait::async_trait]
impl Manifests for Scripted {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        self.look().await?;
        self.memory.stat_manifest(cx, repository, reference).await
    }

    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        self.look().await?;
        self.memory.get_manifest(cx, repository, reference).await
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        self.memory.put_manifest(cx, repository, push).await
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        self.memory.delete_manifest(cx, repository, reference, collisions).await
    }
}

#[async_trait::async_trait]
impl Catalog for Scripted {
    async fn list_repositories(&self, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        self.memory.list_repositories(cx, page).await
    }

    async fn list_tags(&self, cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        self.memory.list_tags(cx, repository, page).await
    }

    async fn list_referrers(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>> {
        self.memory.list_referrers(cx, repository, subject, page).await
    }
}

#[async_trait::async_trait]
impl Users for Scripted {
    async fn find_user(&self, cx: &Context, user: &UserName) -> Result<Option<FoundUser>> {
        self.memory.find_user(cx, user).await
    }

    async fn save_user(&self, cx: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
        self.memory.save_user(cx, user, expected, record).await
    }
}
