//! Deleting tags and manifests: everything that makes a manifest be there goes first, its references last.
//!
//! Where a transaction has no room for all of it, tags go first, some at a time; then the manifest's row, under the condition that nobody has
//! tagged it since; then its references. *A crash* in between leaves a manifest without some of its tags, or references of a manifest that is
//! not there, which whoever finds them in his way removes. *Who pushes the manifest again* meanwhile either conflicts or is not touched: see
//! [`super::push`].

use bytes::Bytes;
use zot_contract::{Collisions, Context, Error, Result};
use zot_oci::{Digest, RepositoryName, Tag};

use super::rows::references;
use crate::{
    engine::{Attempts, Engine, operations::unended},
    metadata::{Change, Expect, Key, Outcome, Scan, Transaction, Write, rows::TagRow},
};

/// Tags looked through at a time when a manifest is deleted.
const TAGS_AT_A_TIME: usize = 1000;

impl Engine {
    pub(super) async fn try_untag(&self, cx: &Context, repository: &RepositoryName, tag: &Tag) -> Result<Outcome> {
        let key = Key::Tag(repository.clone(), tag.clone());
        let Some(row) = self.metadata.get(&key).await? else {
            return Err(self.manifest_unknown(repository, &tag.clone().into()).await?);
        };
        let digest = Digest::try_from(&row.read::<TagRow>(&key)?.digest)?;
        let mut transaction = Transaction::new();
        transaction.delete(key, Expect::Version(row.version));
        transaction.put(Key::Unprojected(repository.clone(), digest), Expect::Anything, Bytes::new());
        transaction.changes.extend(self.ending(cx));
        Ok(self.metadata.commit(transaction).await?)
    }

    pub(super) async fn try_delete(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        digest: &Digest,
        collisions: Collisions,
    ) -> Result<Outcome> {
        let Some((row, version)) = self.manifest_row(repository, digest).await? else {
            return Err(self.manifest_unknown(repository, &(*digest).into()).await?);
        };
        if let Some(index) = self.referencing_manifest(repository, digest).await? {
            return Err(Error::ManifestReferenced { repository: repository.clone(), digest: *digest, index });
        }
        let manifest = self.parsed_manifest(repository, digest, &row).await?;
        let mut transaction = Transaction::new();
        // Whoever tags the manifest at the same time writes its row, so that this version is gone.
        transaction.delete(Key::Manifest(repository.clone(), *digest), Expect::Version(version));
        transaction.put(Key::Unprojected(repository.clone(), *digest), Expect::Anything, Bytes::new());
        transaction.changes.extend(self.ending(cx));
        if let Some(subject) = &manifest.subject {
            transaction.delete(Key::Referrer(repository.clone(), subject.digest, *digest), Expect::Anything);
        }
        let tags = self.tags_of(repository, digest).await?;
        // A tag that comes meanwhile writes the manifest's row.
        if tags.len() > 1 && collisions == Collisions::Refused {
            return Err(Error::ManifestTagged { repository: repository.clone(), digest: *digest, tags: tags.len() });
        }
        if self.delete_tags(cx, &mut transaction, repository, digest, tags).await? == Outcome::Conflict {
            return Ok(Outcome::Conflict);
        }
        let mut targets = references(&manifest);
        let room = self.metadata.changes_max() - transaction.len();
        let rest = targets.split_off(targets.len().min(room));
        for target in targets {
            transaction.delete(Key::Reference(repository.clone(), target, *digest), Expect::Anything);
        }
        let outcome = self.metadata.commit(transaction).await?;
        if outcome == Outcome::Committed {
            self.drop_references(repository, digest, &rest).await?;
        }
        Ok(outcome)
    }

    /// Adds the deletion of all tags of a manifest. Those for which there is no room in the transaction are deleted before it.
    async fn delete_tags(
        &self,
        cx: &Context,
        transaction: &mut Transaction,
        repository: &RepositoryName,
        digest: &Digest,
        mut tags: Vec<Change>,
    ) -> Result<Outcome> {
        let changes_max = self.metadata.changes_max();
        let rest = tags.split_off(tags.len().min(changes_max - transaction.len()));
        transaction.changes.extend(tags);
        let unended = self.ending(cx).as_ref().map(unended);
        for some in rest.chunks(changes_max - 2) {
            let mut some = Transaction { changes: some.to_vec() };
            some.changes.extend(unended.clone());
            some.put(Key::Unprojected(repository.clone(), *digest), Expect::Anything, Bytes::new());
            if self.metadata.commit(some).await? == Outcome::Conflict {
                return Ok(Outcome::Conflict);
            }
        }
        Ok(Outcome::Committed)
    }

    /// The deletion of each tag of a manifest.
    async fn tags_of(&self, repository: &RepositoryName, digest: &Digest) -> crate::Result<Vec<Change>> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let rows = self.metadata.scan(&Scan::Tags(repository.clone(), after.take()), TAGS_AT_A_TIME).await?;
            let full = rows.len() == TAGS_AT_A_TIME;
            for (key, row) in rows {
                if let Key::Tag(_, tag) = &key {
                    after = Some(tag.to_string());
                }
                if Digest::try_from(&row.read::<TagRow>(&key)?.digest)? == *digest {
                    found.push(Change { key, expect: Expect::Version(row.version), write: Write::Delete });
                }
            }
            if !full {
                return Ok(found);
            }
        }
    }

    /// A manifest of the repository that needs the blob or lists the manifest `target`.
    pub(in crate::engine) async fn referencing_manifest(
        &self,
        repository: &RepositoryName,
        target: &Digest,
    ) -> crate::Result<Option<Digest>> {
        let mut attempts = Attempts::default();
        loop {
            let rows = self.metadata.scan(&Scan::References(repository.clone(), *target), 1).await?;
            let Some((Key::Reference(_, _, manifest), _)) = rows.into_iter().next() else {
                return Ok(None);
            };
            if self.manifest_row(repository, &manifest).await?.is_some() {
                return Ok(Some(manifest));
            }
            // Left by a push or a deletion that came to no end, or by a push that has yet to come to one.
            self.drop_references(repository, &manifest, &[*target]).await?;
            attempts.again().await?;
        }
    }

    /// Removes references of a manifest that is not there, and makes sure that a push of it which counts on them begins anew.
    async fn drop_references(&self, repository: &RepositoryName, manifest: &Digest, targets: &[Digest]) -> crate::Result<()> {
        for some in targets.chunks(self.metadata.changes_max() - 2) {
            let mut transaction = Transaction::new();
            transaction.delete(Key::Manifest(repository.clone(), *manifest), Expect::Absent);
            transaction.put(Key::Unprojected(repository.clone(), *manifest), Expect::Anything, Bytes::new());
            for target in some {
                transaction.delete(Key::Reference(repository.clone(), *target, *manifest), Expect::Anything);
            }
            if self.metadata.commit(transaction).await? == Outcome::Conflict {
                // It is there again, and so are its references.
                return Ok(());
            }
        }
        Ok(())
    }
}
