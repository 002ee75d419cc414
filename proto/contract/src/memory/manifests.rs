//! Manifests and tags in memory.

use zot_oci::{Digest, Manifest, Reference, RepositoryName, Tag};

use super::{Held, MemoryRegistry, Repository, State};
use crate::{Collisions, Context, Error, ManifestInfo, ManifestPush, Manifests, PushedManifest, Result, StoredManifest, TagPush, TagRule};

#[async_trait::async_trait]
impl Manifests for MemoryRegistry {
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo> {
        Ok(self.get_manifest(cx, repository, reference).await?.info)
    }

    async fn get_manifest(&self, _: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest> {
        let state = self.state.lock();
        let held = state.repository(repository)?;
        let found = held.resolve(reference).and_then(|digest| Some((digest, held.manifests.get(&digest)?)));
        let (digest, manifest) = found.ok_or_else(|| manifest_unknown(repository, reference))?;
        Ok(manifest.stored(digest))
    }

    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest> {
        let content = Manifest::parse(&push.media_type, &push.bytes).map_err(|reason| Error::ManifestInvalid { reason })?;
        let found = Digest::of(push.digest.algorithm(), &push.bytes);
        if found != push.digest {
            return Err(Error::DigestMismatch { expected: push.digest, found });
        }
        let subject = content.subject.as_ref().map(|subject| subject.digest);
        self.state.lock().once(cx, |state| state.put(repository, push, content))?;
        Ok(PushedManifest { subject })
    }

    async fn delete_manifest(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        reference: &Reference,
        collisions: Collisions,
    ) -> Result<()> {
        self.state.lock().once(cx, |state| state.delete(repository, reference, collisions))
    }
}

impl State {
    fn delete(&mut self, repository: &RepositoryName, reference: &Reference, collisions: Collisions) -> Result<()> {
        let held = self.repository_mut(repository)?;
        let digest = held.resolve(reference).ok_or_else(|| manifest_unknown(repository, reference))?;
        if let Reference::Tag(tag) = reference {
            held.tags.remove(tag);
            return Ok(());
        }
        if let Some(index) = held.index_of(&digest) {
            return Err(Error::ManifestReferenced { repository: repository.clone(), digest, index });
        }
        let tags = held.tags.values().filter(|target| **target == digest).count();
        if tags > 1 && collisions == Collisions::Refused {
            return Err(Error::ManifestTagged { repository: repository.clone(), digest, tags });
        }
        held.manifests.remove(&digest);
        held.tags.retain(|_, target| *target != digest);
        Ok(())
    }

    fn put(&mut self, name: &RepositoryName, push: ManifestPush, content: Manifest) -> Result<()> {
        let held = self.repositories.get(name);
        for blob in &content.blobs {
            let Some(bytes) = held.and_then(|held| held.content(&blob.digest)) else {
                return Err(Error::ManifestBlobUnknown { repository: name.clone(), digest: blob.digest });
            };
            if bytes.len() as u64 != blob.size {
                return Err(Error::wrong_size(blob, bytes.len() as u64));
            }
        }
        let has_tag = |tag: &Tag| held.is_some_and(|held| held.tags.contains_key(tag));
        for TagPush { tag, rule } in &push.tags {
            let (repository, tag) = (name.clone(), tag.clone());
            match (rule, has_tag(&tag)) {
                (TagRule::New, true) => return Err(Error::TagExists { repository, tag }),
                (TagRule::Existing, false) => return Err(Error::TagUnknown { repository, tag }),
                _ => {}
            }
        }
        let held = self.repositories.entry(name.clone()).or_default();
        held.listed = true;
        held.tags.extend(push.tags.into_iter().map(|pushed| (pushed.tag, push.digest)));
        let manifest = Held { media_type: push.media_type, bytes: push.bytes, content };
        held.manifests.insert(push.digest, manifest);
        Ok(())
    }
}

impl Repository {
    fn resolve(&self, reference: &Reference) -> Option<Digest> {
        match reference {
            Reference::Tag(tag) => self.tags.get(tag).copied(),
            Reference::Digest(digest) => self.manifests.contains_key(digest).then_some(*digest),
        }
    }

    /// An index that lists the manifest.
    fn index_of(&self, manifest: &Digest) -> Option<Digest> {
        let mut manifests = self.manifests.iter();
        let index = manifests.find(|(_, held)| held.content.children.iter().any(|child| child.digest == *manifest));
        index.map(|(digest, _)| *digest)
    }
}

impl Held {
    fn stored(&self, digest: Digest) -> StoredManifest {
        StoredManifest {
            info: ManifestInfo { digest, media_type: self.media_type.clone(), size: self.bytes.len() as u64 },
            bytes: self.bytes.clone(),
        }
    }
}

fn manifest_unknown(repository: &RepositoryName, reference: &Reference) -> Error {
    Error::ManifestUnknown { repository: repository.clone(), reference: reference.clone() }
}
