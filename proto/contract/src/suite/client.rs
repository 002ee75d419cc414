//! One subject at work in one repository, so that tests say what they do and not whom they ask.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use zot_oci::{Algorithm, ByteRange, Descriptor, Digest, Reference, RepositoryName};

use super::content::{self, Document};
use crate::{
    BlobBody, Chunk, Collisions, Context, Error, Fetched, ManifestInfo, ManifestPush, Page, PageRequest, PushedManifest, Registry, Result,
    StoredManifest, UploadId,
};

/// A subject at work in a repository. References are given as anything that prints as a tag or a digest.
#[derive(Debug, Clone)]
pub struct Client {
    /// The registry.
    pub registry: Arc<dyn Registry>,
    /// The context of every call.
    pub cx: Context,
    /// The repository.
    pub repository: RepositoryName,
}

impl Client {
    /// The user `alice` at work in `repository`.
    pub fn new(registry: &Arc<dyn Registry>, repository: &str) -> Self {
        Self { registry: registry.clone(), cx: content::context("alice"), repository: content::repository(repository) }
    }

    /// The same registry and repository, another user.
    pub fn user(&self, name: &str) -> Self {
        Self { cx: content::context(name), ..self.clone() }
    }

    /// The same registry and user, another repository.
    pub fn repository(&self, name: &str) -> Self {
        Self { repository: content::repository(name), ..self.clone() }
    }
}

/// Blobs.
impl Client {
    /// Pushes `bytes` as a blob.
    pub async fn push_blob(&self, bytes: impl Into<Bytes>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::sha256(&bytes);
        let upload = self.open().await;
        self.finish(upload, Chunk::of(bytes), &digest).await.unwrap();
        digest
    }

    /// The size of a blob.
    pub async fn stat(&self, digest: &Digest) -> Result<u64> {
        let info = self.registry.stat_blob(&self.cx, &self.repository, digest).await?;
        Ok(info.size)
    }

    /// Whether the blob is in the repository.
    pub async fn has_blob(&self, digest: &Digest) -> bool {
        match self.stat(digest).await {
            Ok(_) => true,
            Err(Error::BlobUnknown { .. } | Error::NameUnknown { .. }) => false,
            Err(error) => panic!("could not tell whether {digest} exists: {error:?}"),
        }
    }

    /// Opens a blob.
    pub async fn open_blob(&self, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        self.registry.read_blob(&self.cx, &self.repository, digest, range).await
    }

    /// Reads a whole blob.
    pub async fn read(&self, digest: &Digest) -> Result<Bytes> {
        collect(self.open_blob(digest, None).await?).await
    }

    /// Reads a whole blob where it is at hand; nothing where it is to be read elsewhere.
    pub async fn fetch(&self, digest: &Digest) -> Result<Option<Bytes>> {
        match self.registry.fetch_blob(&self.cx, &self.repository, digest).await? {
            Fetched::Here(body) => collect(body).await.map(Some),
            Fetched::Elsewhere(_) => Ok(None),
        }
    }

    /// Reads the bytes from `first` to `last`, both inclusive.
    pub async fn read_range(&self, digest: &Digest, first: u64, last: u64) -> Result<Bytes> {
        collect(self.open_blob(digest, ByteRange::new(first, last)).await?).await
    }

    /// Mounts a blob of `from`.
    pub async fn mount(&self, digest: &Digest, from: &str) -> Result<bool> {
        let from = content::repository(from);
        self.registry.mount_blob(&self.cx, &self.repository, digest, Some(&from)).await
    }

    /// Mounts a blob of whatever repository has it.
    pub async fn mount_from_anywhere(&self, digest: &Digest) -> Result<bool> {
        self.registry.mount_blob(&self.cx, &self.repository, digest, None).await
    }

    /// Deletes a blob.
    pub async fn delete_blob(&self, digest: &Digest) -> Result<()> {
        self.registry.delete_blob(&self.cx, &self.repository, digest).await
    }
}

/// Uploads.
impl Client {
    /// Opens an upload for SHA-256.
    pub async fn open(&self) -> UploadId {
        self.open_with(Algorithm::Sha256).await
    }

    /// Opens an upload.
    pub async fn open_with(&self, algorithm: Algorithm) -> UploadId {
        self.registry.open_upload(&self.cx, &self.repository, algorithm).await.unwrap()
    }

    /// The offset of an upload.
    pub async fn status(&self, upload: UploadId) -> Result<u64> {
        let status = self.registry.upload_status(&self.cx, &self.repository, upload).await?;
        Ok(status.offset)
    }

    /// Appends to an upload, and returns its new offset.
    pub async fn append(&self, upload: UploadId, chunk: Chunk) -> Result<u64> {
        let status = self.registry.append_upload(&self.cx, &self.repository, upload, chunk).await?;
        Ok(status.offset)
    }

    /// Finishes an upload.
    pub async fn finish(&self, upload: UploadId, chunk: Chunk, digest: &Digest) -> Result<()> {
        self.registry.finish_upload(&self.cx, &self.repository, upload, chunk, digest).await
    }

    /// Cancels an upload.
    pub async fn cancel(&self, upload: UploadId) -> Result<()> {
        self.registry.cancel_upload(&self.cx, &self.repository, upload).await
    }
}

/// Manifests.
impl Client {
    /// Pushes a config, a layer and the image of them, all made from `seed`.
    pub async fn push_image(&self, seed: u64, tags: &[&str]) -> ManifestPush {
        let push = self.image(seed).await.push(tags);
        self.put(push.clone()).await.unwrap();
        push
    }

    /// Pushes a config and a layer made from `seed`, and returns the image of them, which is not pushed yet.
    pub async fn image(&self, seed: u64) -> Document {
        let (config, layer) = (content::blob_of(seed, 100), content::blob_of(!seed, 1000));
        let config_descriptor = content::describe(content::CONFIG, &config);
        let layer_descriptor = content::describe(content::LAYER, &layer);
        self.push_blob(config).await;
        self.push_blob(layer).await;
        Document::image(&config_descriptor, &[layer_descriptor])
    }

    /// Pushes a manifest.
    pub async fn put(&self, push: ManifestPush) -> Result<PushedManifest> {
        self.registry.put_manifest(&self.cx, &self.repository, push).await
    }

    /// What is known of a manifest.
    pub async fn stat_manifest(&self, reference: impl ToString) -> Result<ManifestInfo> {
        let reference = parse(reference);
        self.registry.stat_manifest(&self.cx, &self.repository, &reference).await
    }

    /// A manifest.
    pub async fn get(&self, reference: impl ToString) -> Result<StoredManifest> {
        let reference = parse(reference);
        self.registry.get_manifest(&self.cx, &self.repository, &reference).await
    }

    /// The digest that a tag points to, if it exists.
    pub async fn resolve(&self, tag: &str) -> Option<Digest> {
        match self.stat_manifest(tag).await {
            Ok(info) => Some(info.digest),
            Err(Error::ManifestUnknown { .. } | Error::NameUnknown { .. }) => None,
            Err(error) => panic!("could not tell whether {tag} exists: {error:?}"),
        }
    }

    /// Deletes a manifest or a tag.
    pub async fn delete(&self, reference: impl ToString) -> Result<()> {
        let reference = parse(reference);
        self.registry.delete_manifest(&self.cx, &self.repository, &reference, Collisions::Accepted).await
    }

    /// Deletes a manifest or a tag, unless more than one tag would go.
    pub async fn delete_untangled(&self, reference: impl ToString) -> Result<()> {
        let reference = parse(reference);
        self.registry.delete_manifest(&self.cx, &self.repository, &reference, Collisions::Refused).await
    }
}

/// Lists.
impl Client {
    /// A page of the repository's tags.
    pub async fn tags_page(&self, page: &PageRequest) -> Result<Page<String>> {
        let page = self.registry.list_tags(&self.cx, &self.repository, page).await?;
        Ok(texts(page))
    }

    /// All tags of the repository.
    pub async fn tags(&self) -> Vec<String> {
        self.tags_page(&PageRequest::first(usize::MAX)).await.unwrap().entries
    }

    /// A page of the registry's repositories.
    pub async fn repositories_page(&self, page: &PageRequest) -> Result<Page<String>> {
        let page = self.registry.list_repositories(&self.cx, page).await?;
        Ok(texts(page))
    }

    /// All repositories of the registry.
    pub async fn repositories(&self) -> Vec<String> {
        self.repositories_page(&PageRequest::first(usize::MAX)).await.unwrap().entries
    }

    /// A page of the manifests that refer to `subject`.
    pub async fn referrers_page(&self, subject: &Digest, page: &PageRequest<Digest>) -> Page<Descriptor> {
        self.registry.list_referrers(&self.cx, &self.repository, subject, page).await.unwrap()
    }

    /// All manifests that refer to `subject`, which fit on a page.
    pub async fn referrers(&self, subject: &Digest) -> Vec<Descriptor> {
        let page = self.referrers_page(subject, &PageRequest::first(usize::MAX)).await;
        assert!(!page.more, "more than a page refer to {subject}");
        page.entries
    }
}

async fn collect(body: BlobBody) -> Result<Bytes> {
    let pieces: Vec<Bytes> = body.in_memory().try_collect().await?;
    Ok(pieces.concat().into())
}

fn parse(reference: impl ToString) -> Reference {
    reference.to_string().parse().unwrap()
}

fn texts<T: ToString>(page: Page<T>) -> Page<String> {
    Page { entries: page.entries.iter().map(T::to_string).collect(), more: page.more }
}
