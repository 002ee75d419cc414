//! A registry that writes down on whose behalf it is asked, and may do what it is told to instead of answering.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use zot_contract::{
    BlobBody, BlobInfo, Blobs, Catalog, Chunk, Collisions, Context, Error, Fetched, FoundUser, ManifestInfo, ManifestPush, Manifests, Page,
    PageRequest, PushedManifest, Registry, Result, Revision, StoredManifest, UploadId, UploadStatus, Uploads, UserName, UserRecord, Users,
};
use zot_oci::{Algorithm, ByteRange, Descriptor, Digest, Reference, RepositoryName, Tag};

/// What becomes of the answers to looking at blobs and users and to finishing uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    Given,
    /// Its storage cannot be reached.
    Refused,
    /// It did what it was asked, and nobody hears of it.
    Lost,
}

/// The registry, before another one.
pub(crate) struct Recording {
    inner: Arc<dyn Registry>,
    answers: Answers,
    pub(crate) calls: Mutex<Vec<Context>>,
}

impl Recording {
    pub(crate) fn new(inner: Arc<dyn Registry>, answers: Answers) -> Self {
        Self { inner, answers, calls: Mutex::default() }
    }

    /// The registry to ask, once the call is written down.
    fn of(&self, cx: &Context) -> &dyn Registry {
        self.calls.lock().push(cx.clone());
        &*self.inner
    }

    fn answer<T>(&self, answer: Result<T>) -> Result<T> {
        match self.answers {
            Answers::Given => answer,
            Answers::Refused => {
                Err(Error::Unavailable { what: "storage", retry_after: std::time::Duration::from_secs(7), source: "scripted".into() })
            }
            Answers::Lost => panic!("scripted"),
        }
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recording").field(&self.inner).finish()
    }
}

#[async_trait::async_trait]
impl Blobs for Recording {
    async fn stat_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo> {
        self.answer(self.of(cx).stat_blob(cx, repository, digest).await)
    }

    async fn read_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        self.of(cx).read_blob(cx, repository, digest, range).await
    }

    async fn fetch_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Fetched> {
        self.of(cx).fetch_blob(cx, repository, digest).await
    }

    async fn mount_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool> {
        self.of(cx).mount_blob(cx, repository, digest, from).await
    }

    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        self.of(cx).delete_blob(cx, repository, digest).await
    }
}

#[async_trait::async_trait]
impl Uploads for Recording {
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId> {
        self.of(cx).open_upload(cx, repository, algorithm).await
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        self.of(cx).upload_status(cx, repository, upload).await
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        self.of(cx).append_upload(cx, repository, upload, chunk).await
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        upload: UploadId,
        chunk: Chunk,
        digest: &Digest,
    ) -> Result<()> {
        self.answer(self.of(cx).finish_upload(cx, repository, upload, chunk, digest).await)
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        self.of(cx).cancel_upload(cx, repository, upload).await
    }
}

#[async_trait::async_trait]
impl Manifests for Recording {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        self.of(cx).stat_manifest(cx, repository, reference).await
    }

    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        self.of(cx).get_manifest(cx, repository, reference).await
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        self.of(cx).put_manifest(cx, repository, push).await
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        self.of(cx).delete_manifest(cx, repository, reference, collisions).await
    }
}

#[async_trait::async_trait]
impl Catalog for Recording {
    async fn list_repositories(&self, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        self.of(cx).list_repositories(cx, page).await
    }

    async fn list_tags(&self, cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        self.of(cx).list_tags(cx, repository, page).await
    }

    async fn list_referrers(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>> {
        self.of(cx).list_referrers(cx, repository, subject, page).await
    }
}

#[async_trait::async_trait]
impl Users for Recording {
    async fn find_user(&self, cx: &Context, user: &UserName) -> Result<Option<FoundUser>> {
        self.answer(self.of(cx).find_user(cx, user).await)
    }

    async fn save_user(&self, cx: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
        self.of(cx).save_user(cx, user, expected, record).await
    }
}
