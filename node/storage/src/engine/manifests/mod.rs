//! Manifests: read by digest or tag, pushed and deleted with all the rows that speak of them.

mod delete;
mod push;
mod referrer;
mod rows;

use bytes::Bytes;
use zot_contract::{Collisions, Context, Error, ManifestInfo, ManifestPush, Manifests, PushedManifest, Result, StoredManifest};
use zot_oci::{Digest, Manifest, Reference, RepositoryName, Tag};

use super::{Engine, INLINE_BYTES_MAX, attempts::Attempts, places::too_late};
use crate::{
    BlobKey,
    blobs::read_whole,
    metadata::{
        Key,
        rows::{Location, ManifestRow, TagRow},
    },
};
pub(crate) use rows::PushRows;

#[async_trait::async_trait]
impl Manifests for Engine {
    async fn stat_manifest(&self, _cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        let (digest, row) = self.find_manifest(repository, reference).await?;
        Ok(row.info(digest)?)
    }

    async fn get_manifest(&self, _cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        let (digest, row) = self.find_manifest(repository, reference).await?;
        let bytes = self.manifest_bytes(repository, &digest, &row).await?;
        Ok(StoredManifest { info: row.info(digest)?, bytes })
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        let manifest = Manifest::parse(&push.media_type, &push.bytes).map_err(|reason| Error::ManifestInvalid { reason })?;
        let found = Digest::of(push.digest.algorithm(), &push.bytes);
        if found != push.digest {
            return Err(Error::DigestMismatch { expected: push.digest, found });
        }
        let row = self.place_manifest(cx, repository, &manifest, &push).await?;
        let (mut attempts, mut push) = (Attempts::default(), push);
        loop {
            let tried = self.try_push(cx, repository, &manifest, &mut push, &row).await;
            if self.is_made(cx, &mut attempts, tried).await? {
                break;
            }
            if let Some(at) = row.address(repository, &push.digest)
                && self.is_condemned(at.as_str()).await?
            {
                return Err(too_late().into());
            }
        }
        self.layout_changed();
        Ok(PushedManifest { subject: manifest.subject.map(|subject| subject.digest) })
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        let mut attempts = Attempts::default();
        loop {
            let tried = match reference {
                Reference::Tag(tag) => self.try_untag(cx, repository, tag).await,
                Reference::Digest(digest) => self.try_delete(cx, repository, digest, collisions).await,
            };
            if self.is_made(cx, &mut attempts, tried).await? {
                break;
            }
        }
        self.layout_changed();
        Ok(())
    }
}

impl Engine {
    /// Makes sure that the bytes of a manifest are stored, and says how in its row.
    async fn place_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        manifest: &Manifest,
        push: &ManifestPush,
    ) -> crate::Result<ManifestRow> {
        let (location, inline, place) = if push.bytes.len() <= INLINE_BYTES_MAX {
            (Location::Inline, push.bytes.clone(), String::new())
        } else {
            let place = self.store_own(&BlobKey::own(repository, &push.digest), push.bytes.clone()).await?;
            (Location::Own, Bytes::new(), place)
        };
        Ok(ManifestRow {
            media_type: push.media_type.to_string(),
            size: push.bytes.len() as u64,
            pushed_unix_ms: self.wall.unix_ms(),
            pushed_by: cx.subject.name().to_owned(),
            subject: manifest.subject.as_ref().map(|subject| (&subject.digest).into()),
            location: location.into(),
            inline,
            place,
        })
    }

    async fn find_manifest(&self, repository: &RepositoryName, reference: &Reference) -> Result<(Digest, ManifestRow)> {
        let digest = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(tag) => self.tagged(repository, tag).await?,
        };
        let found = match digest {
            Some(digest) => self.manifest_row(repository, &digest).await?.map(|(row, _)| (digest, row)),
            None => None,
        };
        match found {
            Some(found) => Ok(found),
            None => Err(self.manifest_unknown(repository, reference).await?),
        }
    }

    async fn tagged(&self, repository: &RepositoryName, tag: &Tag) -> crate::Result<Option<Digest>> {
        let key = Key::Tag(repository.clone(), tag.clone());
        let Some(row) = self.metadata.get(&key).await? else {
            return Ok(None);
        };
        Digest::try_from(&row.read::<TagRow>(&key)?.digest).map(Some)
    }

    pub(crate) async fn manifest_bytes(&self, repository: &RepositoryName, digest: &Digest, row: &ManifestRow) -> crate::Result<Bytes> {
        match row.address(repository, digest) {
            Some(at) => read_whole(self.blobs.as_ref(), &at, row.size).await,
            None => Ok(row.inline.clone()),
        }
    }

    /// A manifest, from its bytes.
    async fn parsed_manifest(&self, repository: &RepositoryName, digest: &Digest, row: &ManifestRow) -> crate::Result<Manifest> {
        let bytes = self.manifest_bytes(repository, digest, row).await?;
        let media_type = row.info(*digest)?.media_type;
        Manifest::parse(&media_type, &bytes).map_err(|error| crate::Error::damaged(format!("manifest {digest}"), error))
    }

    /// The error for a manifest that is not there: the repository may not be there either.
    pub(super) async fn manifest_unknown(&self, repository: &RepositoryName, reference: &Reference) -> crate::Result<Error> {
        let repository = repository.clone();
        Ok(if self.repository_exists(&repository).await? {
            Error::ManifestUnknown { repository, reference: reference.clone() }
        } else {
            Error::NameUnknown { repository }
        })
    }
}
