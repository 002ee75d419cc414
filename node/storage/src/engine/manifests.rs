//! Manifests: one transaction for a manifest with its tags, its references and its entry among the referrers.

use bytes::Bytes;
use prost::Message;
use zot_contract::{Context, Error, ManifestInfo, ManifestPush, Manifests, PushedManifest, Result, StoredManifest};
use zot_oci::{Descriptor, Digest, Manifest, Reference, RepositoryName, Tag};

use super::{Engine, INLINE_BYTES_MAX};
use crate::{
    BlobKey,
    blobs::read_whole,
    metadata::{
        Expect, Key, Outcome, Scan, Transaction,
        rows::{LinkRow, Location, ManifestRow, RepositoryRow, TagRow, now_unix_ms},
    },
};

/// Tags looked through at a time when a manifest is deleted.
const TAGS_AT_A_TIME: usize = 1000;

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
        loop {
            let transaction = self.manifest_transaction(repository, &manifest, &push, &row).await?;
            if self.metadata.commit(transaction).await? == Outcome::Committed {
                break;
            }
        }
        self.layout_changed();
        Ok(PushedManifest { subject: manifest.subject.map(|subject| subject.digest) })
    }

    async fn delete_manifest(&self, _cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<()> {
        loop {
            let transaction = match reference {
                Reference::Tag(tag) => self.untag_transaction(repository, tag).await?,
                Reference::Digest(digest) => self.delete_transaction(repository, digest).await?,
            };
            if self.metadata.commit(transaction).await? == Outcome::Committed {
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
        let (location, inline) = if push.bytes.len() <= INLINE_BYTES_MAX {
            (Location::Inline, push.bytes.clone())
        } else {
            self.blobs.put(&BlobKey::own(repository, &push.digest), push.bytes.clone()).await?;
            (Location::Own, Bytes::new())
        };
        Ok(ManifestRow {
            media_type: push.media_type.to_string(),
            size: push.bytes.len() as u64,
            pushed_unix_ms: now_unix_ms(),
            pushed_by: cx.subject.name().to_owned(),
            subject: manifest.subject.as_ref().map(|subject| (&subject.digest).into()),
            location: location.into(),
            inline,
            place: String::new(),
        })
    }

    async fn manifest_transaction(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
        push: &ManifestPush,
        row: &ManifestRow,
    ) -> Result<Transaction> {
        let mut transaction = Transaction::new();
        self.take_up_blobs(&mut transaction, repository, manifest).await?;
        let key = Key::Repository(repository.clone());
        if self.metadata.get(&key).await?.is_none() {
            let row = RepositoryRow { created_unix_ms: row.pushed_unix_ms };
            transaction.put(key, Expect::Absent, row.encode_to_vec());
        }
        put_manifest_rows(&mut transaction, repository, manifest, push, row)?;
        transaction.put(Key::Unprojected(repository.clone(), push.digest), Expect::Anything, Bytes::new());
        Ok(transaction)
    }

    /// Writes the links of all blobs that the manifest needs: whoever deletes one at the same time loses the race.
    async fn take_up_blobs(&self, transaction: &mut Transaction, repository: &RepositoryName, manifest: &Manifest) -> Result<()> {
        let mut digests: Vec<Digest> = manifest.blobs.iter().map(|blob| blob.digest).collect();
        digests.sort_unstable();
        digests.dedup();
        let keys: Vec<Key> = digests.iter().map(|digest| Key::Link(repository.clone(), *digest)).collect();
        let rows = self.metadata.get_many(&keys).await?;
        for ((key, row), digest) in keys.into_iter().zip(rows).zip(digests) {
            match row {
                Some(row) => {
                    let link = LinkRow { touched_unix_ms: now_unix_ms(), ..row.read(&key)? };
                    transaction.put(key, Expect::Present, link.encode_to_vec());
                }
                // An artifact may have a manifest as its content.
                None if self.manifest_row(repository, &digest).await?.is_some() => {}
                None => {
                    return Err(Error::ManifestBlobUnknown { repository: repository.clone(), digest });
                }
            }
        }
        Ok(())
    }

    async fn untag_transaction(&self, repository: &RepositoryName, tag: &Tag) -> Result<Transaction> {
        let key = Key::Tag(repository.clone(), tag.clone());
        let Some(row) = self.metadata.get(&key).await? else {
            return Err(self.manifest_unknown(repository, &tag.clone().into()).await?);
        };
        let digest = Digest::try_from(&row.read::<TagRow>(&key)?.digest)?;
        let mut transaction = Transaction::new();
        transaction.delete(key, Expect::Version(row.version));
        transaction.put(Key::Unprojected(repository.clone(), digest), Expect::Anything, Bytes::new());
        Ok(transaction)
    }

    async fn delete_transaction(&self, repository: &RepositoryName, digest: &Digest) -> Result<Transaction> {
        let Some((row, version)) = self.manifest_row(repository, digest).await? else {
            return Err(self.manifest_unknown(repository, &(*digest).into()).await?);
        };
        if let Some(index) = self.referencing_manifest(repository, digest).await? {
            return Err(Error::ManifestReferenced { repository: repository.clone(), digest: *digest, index });
        }
        let mut transaction = Transaction::new();
        // Whoever tags the manifest at the same time writes its row, so that this version is gone.
        transaction.delete(Key::Manifest(repository.clone(), *digest), Expect::Version(version));
        self.delete_tags(&mut transaction, repository, digest).await?;
        let bytes = self.manifest_bytes(repository, digest, &row).await?;
        let media_type = row.info(*digest)?.media_type;
        let manifest = Manifest::parse(&media_type, &bytes).map_err(|error| crate::Error::damaged(format!("manifest {digest}"), error))?;
        for target in references(&manifest) {
            transaction.delete(Key::Reference(repository.clone(), target, *digest), Expect::Anything);
        }
        if let Some(subject) = &manifest.subject {
            transaction.delete(Key::Referrer(repository.clone(), subject.digest, *digest), Expect::Anything);
        }
        transaction.put(Key::Unprojected(repository.clone(), *digest), Expect::Anything, Bytes::new());
        Ok(transaction)
    }

    async fn delete_tags(&self, transaction: &mut Transaction, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        let mut after = None;
        loop {
            let rows = self.metadata.scan(&Scan::Tags(repository.clone(), after.take()), TAGS_AT_A_TIME).await?;
            let full = rows.len() == TAGS_AT_A_TIME;
            for (key, row) in rows {
                if let Key::Tag(_, tag) = &key {
                    after = Some(tag.to_string());
                }
                if Digest::try_from(&row.read::<TagRow>(&key)?.digest)? == *digest {
                    transaction.delete(key, Expect::Version(row.version));
                }
            }
            if !full {
                return Ok(());
            }
        }
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

    /// The error for a manifest that is not there: the repository may not be there either.
    async fn manifest_unknown(&self, repository: &RepositoryName, reference: &Reference) -> crate::Result<Error> {
        let repository = repository.clone();
        Ok(if self.repository_exists(&repository).await? {
            Error::ManifestUnknown { repository, reference: reference.clone() }
        } else {
            Error::NameUnknown { repository }
        })
    }
}

/// What a manifest keeps from being deleted.
fn references(manifest: &Manifest) -> impl Iterator<Item = Digest> {
    manifest.blobs.iter().chain(&manifest.children).map(|descriptor| descriptor.digest)
}

/// The rows that make a manifest one of the repository's: its own, its tags', its references' and its entry among the referrers.
pub(crate) fn put_manifest_rows(
    transaction: &mut Transaction,
    repository: &RepositoryName,
    manifest: &Manifest,
    push: &ManifestPush,
    row: &ManifestRow,
) -> crate::Result<()> {
    transaction.put(Key::Manifest(repository.clone(), push.digest), Expect::Anything, row.encode_to_vec());
    for tag in &push.tags {
        let row = TagRow { digest: (&push.digest).into(), pushed_unix_ms: row.pushed_unix_ms };
        transaction.put(Key::Tag(repository.clone(), tag.clone()), Expect::Anything, row.encode_to_vec());
    }
    for target in references(manifest) {
        transaction.put(Key::Reference(repository.clone(), target, push.digest), Expect::Anything, Bytes::new());
    }
    if let Some(subject) = &manifest.subject {
        let descriptor = serde_json::to_vec(&as_referrer(manifest, push)).map_err(crate::Error::metadata("encode"))?;
        transaction.put(Key::Referrer(repository.clone(), subject.digest, push.digest), Expect::Anything, descriptor);
    }
    Ok(())
}

/// The descriptor under which a manifest is listed as a referrer (distribution-spec, "Listing Referrers").
fn as_referrer(manifest: &Manifest, push: &ManifestPush) -> Descriptor {
    Descriptor {
        media_type: push.media_type.to_string(),
        digest: push.digest,
        size: push.bytes.len() as u64,
        artifact_type: manifest.artifact_type.clone(),
        annotations: manifest.annotations.clone(),
    }
}
