//! Blobs in memory.

use bytes::Bytes;
use futures::{Stream, stream};
use zot_oci::{ByteRange, Digest, RepositoryName};

use super::{MemoryRegistry, Repository};
use crate::{BlobBody, BlobInfo, Blobs, Context, Error, Fetched, Result};

/// The size of the pieces in which a blob is read, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

#[async_trait::async_trait]
impl Blobs for MemoryRegistry {
    async fn stat_blob(&self, _: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo> {
        let bytes = self.blob(repository, digest)?;
        Ok(BlobInfo { size: bytes.len() as u64 })
    }

    async fn read_blob(&self, _: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        let bytes = self.blob(repository, digest)?;
        let size = bytes.len() as u64;
        let part = range.map_or(Some(bytes.clone()), |range| part(&bytes, range));
        let part = part.ok_or_else(|| Error::internal(format!("range {range:?} lies outside blob {digest} of {size} bytes")))?;
        Ok(BlobBody::new(size, pieces(part)))
    }

    async fn fetch_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Fetched> {
        let body = self.read_blob(cx, repository, digest, None).await?;
        match self.elsewhere {
            Some(elsewhere) => Ok(Fetched::Elsewhere(format!("{elsewhere}{digest}").parse().map_err(Error::internal)?)),
            None => Ok(Fetched::Here(body)),
        }
    }

    async fn mount_blob(&self, _: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool> {
        let mut state = self.state.lock();
        let blob_of = |name| state.repositories.get(name).and_then(|held: &Repository| held.blobs.get(digest));
        let blob_of_any = || state.repositories.values().find_map(|held| held.blobs.get(digest));
        let source = || from.map_or_else(blob_of_any, blob_of);
        let Some(bytes) = blob_of(repository).or_else(source).cloned() else {
            return Ok(false);
        };
        state.repositories.entry(repository.clone()).or_default().blobs.insert(*digest, bytes);
        Ok(true)
    }

    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        self.state.lock().once(cx, |state| {
            let held = state.repository_mut(repository)?;
            if !held.blobs.contains_key(digest) {
                return Err(blob_unknown(repository, digest));
            }
            if let Some(manifest) = held.user_of(digest) {
                return Err(Error::BlobReferenced { repository: repository.clone(), digest: *digest, manifest });
            }
            held.blobs.remove(digest);
            Ok(())
        })
    }
}

impl MemoryRegistry {
    fn blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Bytes> {
        let state = self.state.lock();
        let content = state.repository(repository)?.content(digest);
        content.cloned().ok_or_else(|| blob_unknown(repository, digest))
    }
}

impl Repository {
    /// A manifest that needs the blob.
    fn user_of(&self, blob: &Digest) -> Option<Digest> {
        let mut manifests = self.manifests.iter();
        let user = manifests.find(|(_, held)| held.content.blobs.iter().any(|needed| needed.digest == *blob));
        user.map(|(digest, _)| *digest)
    }
}

fn blob_unknown(repository: &RepositoryName, digest: &Digest) -> Error {
    Error::BlobUnknown { repository: repository.clone(), digest: *digest }
}

fn part(bytes: &Bytes, range: ByteRange) -> Option<Bytes> {
    let first = usize::try_from(range.first()).ok()?;
    let last = usize::try_from(range.last()).ok().filter(|last| *last < bytes.len())?;
    Some(bytes.slice(first..=last))
}

fn pieces(mut bytes: Bytes) -> impl Stream<Item = Result<Bytes>> {
    stream::iter(std::iter::from_fn(move || (!bytes.is_empty()).then(|| Ok(bytes.split_to(bytes.len().min(PIECE_BYTES))))))
}
