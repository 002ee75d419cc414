//! Manifests of another process.

use zot_contract::{Collisions, Context, Error, ManifestInfo, ManifestPush, Manifests, PushedManifest, Result, StoredManifest};
use zot_oci::{InvalidManifest, Reference, RepositoryName};

use super::RemoteRegistry;
use crate::{MANIFEST_BYTES_MAX, v1};

#[async_trait::async_trait]
impl Manifests for RemoteRegistry {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        let message =
            v1::StatManifestRequest { context: Some(cx.into()), repository: repository.to_string(), reference: reference.to_string() };
        Ok(self.answer(self.manifests().stat_manifest(self.request(message))).await?.try_into()?)
    }

    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        let message =
            v1::GetManifestRequest { context: Some(cx.into()), repository: repository.to_string(), reference: reference.to_string() };
        Ok(self.answer(self.manifests().get_manifest(self.request(message))).await?.try_into()?)
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        if push.bytes.len() > MANIFEST_BYTES_MAX {
            return Err(too_large(push.bytes.len()));
        }
        let message = v1::PutManifestRequest { context: Some(cx.into()), repository: repository.to_string(), push: Some(push.into()) };
        Ok(self.answer(self.manifests().put_manifest(self.request(message))).await?.try_into()?)
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        let message = v1::DeleteManifestRequest {
            context: Some(cx.into()),
            repository: repository.to_string(),
            reference: reference.to_string(),
            refuse_collisions: collisions == Collisions::Refused,
        };
        self.answer(self.manifests().delete_manifest(self.request(message))).await.map(|v1::DeleteManifestResponse {}| ())
    }
}

/// The configuration allows no manifests of that size in a cluster; this is for whoever is not configured.
fn too_large(bytes: usize) -> Error {
    let reason = format!("it has {bytes} bytes, and nodes take at most {MANIFEST_BYTES_MAX}");
    Error::ManifestInvalid { reason: InvalidManifest::Schema { reason } }
}
