//! A registry that reads blobs as it is told, and knows nothing else.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use zot_contract::{
    BlobBody, BlobInfo, Blobs, Catalog, Chunk, Collisions, Context, Error, FoundUser, ManifestInfo, ManifestPush, Manifests, Page,
    PageRequest, PushedManifest, Result, Revision, StoredManifest, UploadId, UploadStatus, Uploads, UserName, UserRecord, Users,
};
use zot_oci::{Algorithm, ByteRange, Descriptor, Digest, Reference, RepositoryName, Tag};

/// What the next calls find.
#[derive(Default)]
pub(crate) struct Scripted {
    body: Mutex<Option<BlobBody>>,
    /// Told when a call that is never answered is given up.
    given_up: Mutex<Option<oneshot::Sender<()>>>,
    /// Who asked for the last blob.
    pub(crate) asked: Mutex<Option<Context>>,
    /// The chunk headers that came.
    pub(crate) chunks: Mutex<Vec<(Option<u64>, Option<u64>)>>,
}

impl Scripted {
    /// A registry whose next blob is `body`.
    pub(crate) fn reading(body: BlobBody) -> Arc<Self> {
        Arc::new(Self { body: Mutex::new(Some(body)), ..Self::default() })
    }

    /// A registry that never says whether it has a blob, and a signal that comes when it was given up.
    pub(crate) fn silent() -> (Arc<Self>, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Arc::new(Self { given_up: Mutex::new(Some(sender)), ..Self::default() }), receiver)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

/// Drops its signal with the future that holds it.
struct Held(#[expect(dead_code, reason = "it is held to be dropped")] Option<oneshot::Sender<()>>);

fn unscripted<T>() -> Result<T> {
    Err(Error::internal("not in the script"))
}

#[async_trait::async_trait]
impl Blobs for Scripted {
    async fn stat_blob(&self, _: &Context, _: &RepositoryName, _: &Digest) -> Result<BlobInfo> {
        let _held = Held(self.given_up.lock().take());
        std::future::pending().await
    }

    async fn read_blob(&self, cx: &Context, _: &RepositoryName, _: &Digest, _: Option<ByteRange>) -> Result<BlobBody> {
        *self.asked.lock() = Some(cx.clone());
        let body = self.body.lock().take();
        body.map_or_else(unscripted, Ok)
    }

    async fn mount_blob(&self, _: &Context, _: &RepositoryName, _: &Digest, _: Option<&RepositoryName>) -> Result<bool> {
        panic!("a fault of the program")
    }

    async fn delete_blob(&self, _: &Context, _: &RepositoryName, _: &Digest) -> Result<()> {
        unscripted()
    }
}

#[async_trait::async_trait]
impl Uploads for Scripted {
    async fn open_upload(&self, _: &Context, _: &RepositoryName, _: Algorithm) -> Result<UploadId> {
        unscripted()
    }

    async fn upload_status(&self, _: &Context, _: &RepositoryName, _: UploadId) -> Result<UploadStatus> {
        unscripted()
    }

    async fn append_upload(&self, _: &Context, _: &RepositoryName, _: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        self.chunks.lock().push((chunk.at, chunk.length));
        Ok(UploadStatus { offset: 0 })
    }

    async fn finish_upload(&self, _: &Context, _: &RepositoryName, _: UploadId, chunk: Chunk, _: &Digest) -> Result<()> {
        self.chunks.lock().push((chunk.at, chunk.length));
        Ok(())
    }

    async fn cancel_upload(&self, _: &Context, _: &RepositoryName, _: UploadId) -> Result<()> {
        unscripted()
    }
}

#[async_trait::async_trait]
impl Manifests for Scripted {
    async fn stat_manifest(&self, _: &Context, _: &RepositoryName, _: &Reference) -> Result<ManifestInfo> {
        unscripted()
    }

    async fn get_manifest(&self, _: &Context, _: &RepositoryName, _: &Reference) -> Result<StoredManifest> {
        unscripted()
    }

    async fn put_manifest(&self, _: &Context, _: &RepositoryName, _: ManifestPush) -> Result<PushedManifest> {
        unscripted()
    }

    async fn delete_manifest(&self, _: &Context, _: &RepositoryName, _: &Reference, _: Collisions) -> Result<()> {
        unscripted()
    }
}

#[async_trait::async_trait]
impl Catalog for Scripted {
    async fn list_repositories(&self, _: &Context, _: &PageRequest) -> Result<Page<RepositoryName>> {
        unscripted()
    }

    async fn list_tags(&self, _: &Context, _: &RepositoryName, _: &PageRequest) -> Result<Page<Tag>> {
        unscripted()
    }

    async fn list_referrers(&self, _: &Context, _: &RepositoryName, _: &Digest, _: &PageRequest<Digest>) -> Result<Page<Descriptor>> {
        let descriptor = Descriptor {
            media_type: "a/b".to_owned(),
            digest: Digest::sha256(b"x"),
            size: 1,
            artifact_type: None,
            annotations: [("large".to_owned(), "x".repeat(300_000))].into(),
        };
        Ok(Page { entries: vec![descriptor; 100], more: true })
    }
}

#[async_trait::async_trait]
impl Users for Scripted {
    async fn find_user(&self, _: &Context, _: &UserName) -> Result<Option<FoundUser>> {
        unscripted()
    }

    async fn save_user(&self, _: &Context, _: &UserName, _: Option<Revision>, _: &UserRecord) -> Result<()> {
        unscripted()
    }
}
