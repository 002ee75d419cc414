//! Several stores as one registry (`storage.subPaths`): the first component of a repository's name chooses the store.

mod catalog;

use std::collections::BTreeMap;

use zot_contract::{
    BlobBody, BlobInfo, Blobs, Chunk, Collisions, Context, Fetched, FoundUser, ManifestInfo, ManifestPush, Manifests, PushedManifest,
    Result, Revision, StoredManifest, UploadId, UploadStatus, Uploads, UserName, UserRecord, Users,
};
use zot_oci::{Algorithm, ByteRange, Digest, Reference, RepositoryName};
use zot_storage::Engine;

/// A default store, and others by route.
#[derive(Debug)]
pub(crate) struct Routed {
    default: Engine,
    /// By route as it is written, `/a` for the repositories whose names begin with `a/`.
    routes: BTreeMap<String, Engine>,
}

impl Routed {
    pub(crate) fn new(default: Engine, routes: BTreeMap<String, Engine>) -> Self {
        Self { default, routes }
    }

    /// The route of a repository, if another store than the default one has it. A name of one component always goes to the default store.
    fn route(&self, repository: &RepositoryName) -> Option<(&str, &Engine)> {
        let (first, _) = repository.as_str().split_once('/')?;
        let route = self.routes.get_key_value(&format!("/{first}"));
        route.map(|(route, engine)| (route.as_str(), engine))
    }

    fn store(&self, repository: &RepositoryName) -> &Engine {
        self.route(repository).map_or(&self.default, |(_, engine)| engine)
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Blobs for Routed {
    async fn stat_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo> {
        self.store(repository).stat_blob(cx, repository, digest).await
    }

    async fn read_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        self.store(repository).read_blob(cx, repository, digest, range).await
    }

    async fn fetch_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Fetched> {
        self.store(repository).fetch_blob(cx, repository, digest).await
    }

    async fn mount_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool> {
        // Bytes of another store are out of reach.
        let route = |name| self.route(name).map(|(route, _)| route);
        if from.is_none_or(|from| route(from) == route(repository)) {
            self.store(repository).mount_blob(cx, repository, digest, from).await
        } else {
            Ok(false)
        }
    }

    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        self.store(repository).delete_blob(cx, repository, digest).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Uploads for Routed {
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId> {
        self.store(repository).open_upload(cx, repository, algorithm).await
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        self.store(repository).upload_status(cx, repository, upload).await
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        self.store(repository).append_upload(cx, repository, upload, chunk).await
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        upload: UploadId,
        chunk: Chunk,
        digest: &Digest,
    ) -> Result<()> {
        self.store(repository).finish_upload(cx, repository, upload, chunk, digest).await
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        self.store(repository).cancel_upload(cx, repository, upload).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Manifests for Routed {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        self.store(repository).stat_manifest(cx, repository, reference).await
    }

    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        self.store(repository).get_manifest(cx, repository, reference).await
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        self.store(repository).put_manifest(cx, repository, push).await
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        self.store(repository).delete_manifest(cx, repository, reference, collisions).await
    }
}

/// Users are no repository's: the default store has them.
#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl Users for Routed {
    async fn find_user(&self, cx: &Context, user: &UserName) -> Result<Option<FoundUser>> {
        self.default.find_user(cx, user).await
    }

    async fn save_user(&self, cx: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
        self.default.save_user(cx, user, expected, record).await
    }
}

#[cfg(test)]
mod tests;
