//! What tests do to a registry all the time, in one call each. Every one fails the test unless the registry agrees.

use bytes::Bytes;

use super::{Call, Client};
use crate::content::{Image, Manifest, digest_of};

impl Client {
    /// Pushes a blob by POST and PUT, and gives its digest.
    pub async fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let (digest, patience) = (digest_of(bytes), self.patience());
        loop {
            let upload = self.start_upload(repository).await;
            let reply = self.finish_upload(&upload, &digest, bytes).await;
            if !patience.asks_for_another(&reply).await {
                reply.expect(201);
                return digest;
            }
        }
    }

    /// Starts an upload, and gives its location.
    pub async fn start_upload(&self, repository: &str) -> String {
        self.post(&format!("/v2/{repository}/blobs/uploads/")).await.expect(202).location()
    }

    /// Appends `bytes`, the first of which is the upload's byte number `offset`.
    pub fn append(&self, upload: &str, offset: usize, bytes: &[u8]) -> Call<'_> {
        let range = format!("{offset}-{}", offset + bytes.len() - 1);
        self.patch(upload).header("content-range", &range).header("content-type", OCTETS).body(Bytes::copy_from_slice(bytes))
    }

    /// Finishes an upload under `digest` with its last `bytes`.
    pub fn finish_upload(&self, upload: &str, digest: &str, bytes: &[u8]) -> Call<'_> {
        let separator = if upload.contains('?') { '&' } else { '?' };
        let call = self.put(&format!("{upload}{separator}digest={digest}"));
        call.header("content-type", OCTETS).body(Bytes::copy_from_slice(bytes))
    }

    /// Pushes a manifest under a tag or its digest.
    pub fn put_manifest(&self, repository: &str, reference: &str, manifest: &Manifest) -> Call<'_> {
        let call = self.put(&format!("/v2/{repository}/manifests/{reference}"));
        call.header("content-type", &manifest.media_type).body(manifest.bytes.clone())
    }

    /// Pushes an image's blobs and its manifest under `reference`, and gives the manifest's digest.
    pub async fn push_image(&self, repository: &str, reference: &str, image: &Image) -> String {
        for blob in image.blobs() {
            self.push_blob(repository, blob).await;
        }
        self.put_manifest(repository, reference, &image.manifest).await.expect(201);
        image.digest()
    }

    /// Gets a manifest by tag or digest, whatever its media type.
    pub fn get_manifest(&self, repository: &str, reference: &str) -> Call<'_> {
        self.get(&format!("/v2/{repository}/manifests/{reference}"))
    }

    /// Gets a blob.
    pub fn get_blob(&self, repository: &str, digest: &str) -> Call<'_> {
        self.get(&format!("/v2/{repository}/blobs/{digest}"))
    }

    /// All tags of a repository.
    pub async fn tags(&self, repository: &str) -> Vec<String> {
        self.get(&format!("/v2/{repository}/tags/list")).await.expect(200).list("tags")
    }

    /// All repositories.
    pub async fn catalog(&self) -> Vec<String> {
        self.get("/v2/_catalog").await.expect(200).list("repositories")
    }
}

const OCTETS: &str = "application/octet-stream";
