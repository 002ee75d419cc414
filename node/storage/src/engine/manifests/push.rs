//! Pushing a manifest: one transaction for all its rows, or several in an order that is safe at each point.
//!
//! # In steps
//! A store may refuse transactions as large as a manifest with many layers needs. Then the push
//! 1. sets the manifest's mark for the projector, and notes the version that it has now;
//! 2. writes the references with a touch of the links they speak of, some at a time;
//! 3. writes the manifest, with whatever still fits, under the condition that the mark has the noted version;
//! 4. writes further tags, each time under the condition that the manifest is there.
//!
//! *A crash* in 1 or 2 leaves a mark, which comes to nothing, and references of a manifest that is not there. These are removed by whoever finds
//! them in his way, or completed by the next push of the manifest. A crash in 4 leaves a push that is not acknowledged, with some of its tags.
//!
//! *Somebody deletes a blob* that the manifest needs. If the link goes before step 2 touches it, step 2 conflicts. If the touch comes first,
//! whoever deletes has either read the link's version before, and conflicts; or finds the reference. If the manifest is there by then, he is
//! refused. If not, he has to remove the reference, in one transaction with a new version of the mark and under the condition that the
//! manifest is not there: if that comes before step 3, step 3 conflicts, and the push begins anew; if it comes after, it conflicts and the next
//! look finds the manifest. Noting the mark's version *before* the first reference is written makes this complete.
//!
//! *A tag may only be made, or only be moved*: whether it is there is looked up first, to tell the client, and is a condition of the transaction that
//! writes it. If that does not hold any more, the push begins anew and finds out. Such tags come before others, so that they are in the transaction
//! of the manifest as long as there is room; one for which there was none, and which was written before the push had to begin anew, is done.
//!
//! *Another member is asked for the same push*, because this one was not heard: see [`crate::engine::operations`]. From step 3 on, no transaction is
//! applied after the push was answered; references that come late are of no harm.
//!
//! *Somebody deletes the same manifest* in the middle of being pushed again: he sets the mark too, in the transaction that removes the row and in
//! each that removes references, so that step 3 conflicts unless all of that was before step 1.

use bytes::Bytes;
use prost::Message;
use zot_contract::{Context, Error, ManifestPush, Result, TagPush, TagRule};
use zot_oci::{Descriptor, Manifest, RepositoryName, Tag};

use super::{PushRows, rows::Steps};
use crate::{
    engine::{Engine, places::uncondemned},
    metadata::{
        Change, Expect, Key, Outcome, Row, Transaction, Write,
        rows::{LinkRow, ManifestRow, RepositoryRow},
    },
};

impl Engine {
    pub(super) async fn try_push(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        manifest: &Manifest,
        push: &mut ManifestPush,
        row: &ManifestRow,
    ) -> Result<Outcome> {
        let (restricted, blobs) = (restricted(push), blobs_of(manifest));
        let home = Key::Repository(repository.clone());
        let tags = restricted.iter().map(|pushed| Key::Tag(repository.clone(), pushed.tag.clone()));
        let links = blobs.iter().map(|blob| Key::Link(repository.clone(), blob.digest));
        let keys: Vec<Key> = tags.chain(links).chain([home.clone()]).collect();
        // All at once: where rows are across a network, each further look costs as much as all of it.
        let mut found = self.metadata.get_many(&keys).await?.into_iter();
        check_tags(repository, &restricted, &mut found)?;
        let mut rows = PushRows::new(repository, manifest, push, row)?;
        self.take_up_blobs(&mut rows, repository, &blobs, &mut found).await?;
        rows.own.extend(row.address(repository, &push.digest).iter().map(uncondemned));
        if found.next().flatten().is_none() {
            let value = RepositoryRow { created_unix_ms: row.pushed_unix_ms }.encode_to_vec();
            rows.own.push(Change { key: home, expect: Expect::Absent, write: Write::Put(value.into()) });
        }
        let mark = Key::Unprojected(repository.clone(), push.digest);
        let ending = self.ending(cx);
        if rows.len() + 1 + ending.iter().len() > self.metadata.changes_max() {
            return Ok(self.push_in_steps(rows, &mark, ending, push).await?);
        }
        let mut transaction = rows.whole();
        transaction.changes.extend(ending);
        transaction.put(mark, Expect::Anything, Bytes::new());
        Ok(self.metadata.commit(transaction).await?)
    }

    /// Writes the links of all blobs that the manifest needs: whoever deletes one at the same time loses the race.
    async fn take_up_blobs(
        &self,
        rows: &mut PushRows,
        repository: &RepositoryName,
        blobs: &[&Descriptor],
        found: &mut impl Iterator<Item = Option<Row>>,
    ) -> Result<()> {
        for (blob, row) in blobs.iter().zip(found) {
            let (repository, digest) = (repository.clone(), blob.digest);
            let size = match row {
                Some(row) => {
                    let key = Key::Link(repository, digest);
                    let link = LinkRow { touched_unix_ms: self.wall.unix_ms(), ..row.read(&key)? };
                    rows.touch(&digest, Change { key, expect: Expect::Present, write: Write::Put(link.encode_to_vec().into()) });
                    link.size
                }
                // An artifact may have a manifest as its content.
                None => match self.manifest_row(&repository, &digest).await? {
                    Some((row, _)) => row.size,
                    None => return Err(Error::ManifestBlobUnknown { repository, digest }),
                },
            };
            // A blob has one size: whoever passes has said it for each of its descriptors.
            if size != blob.size {
                return Err(Error::wrong_size(blob, size));
            }
        }
        Ok(())
    }

    async fn push_in_steps(&self, rows: PushRows, mark: &Key, ending: Option<Change>, push: &mut ManifestPush) -> crate::Result<Outcome> {
        let mut begin = Transaction::new();
        begin.put(mark.clone(), Expect::Anything, Bytes::new());
        self.metadata.commit(begin).await?;
        let Some(set) = self.metadata.get(mark).await? else {
            return Ok(Outcome::Conflict);
        };
        let Steps { before, last, after } = rows.steps(mark, set.version, ending, self.metadata.changes_max());
        for transaction in before.into_iter().chain([last]).chain(after) {
            let written: Vec<Tag> = transaction.changes.iter().filter_map(tag_of).collect();
            if self.metadata.commit(transaction).await? == Outcome::Conflict {
                return Ok(Outcome::Conflict);
            }
            // Should the push begin anew, what it has made is not in its way.
            push.tags.retain(|pushed| pushed.rule == TagRule::Any || !written.contains(&pushed.tag));
        }
        Ok(Outcome::Committed)
    }
}

/// The tags of which a push may only make what is not there, or only move what is.
fn restricted(push: &ManifestPush) -> Vec<TagPush> {
    push.tags.iter().filter(|pushed| pushed.rule != TagRule::Any).cloned().collect()
}

/// The blobs that a manifest needs, each once for each size that is said of it.
fn blobs_of(manifest: &Manifest) -> Vec<&Descriptor> {
    let mut blobs: Vec<&Descriptor> = manifest.blobs.iter().collect();
    blobs.sort_unstable_by_key(|blob| (blob.digest, blob.size));
    blobs.dedup_by_key(|blob| (blob.digest, blob.size));
    blobs
}

/// Refuses a push to tags that are there and may only be made, or are not and may only be moved.
fn check_tags(repository: &RepositoryName, restricted: &[TagPush], found: &mut impl Iterator<Item = Option<Row>>) -> Result<()> {
    for (pushed, row) in restricted.iter().zip(found) {
        let (repository, tag) = (repository.clone(), pushed.tag.clone());
        match (pushed.rule, row) {
            (TagRule::New, Some(_)) => return Err(Error::TagExists { repository, tag }),
            (TagRule::Existing, None) => return Err(Error::TagUnknown { repository, tag }),
            _ => {}
        }
    }
    Ok(())
}

/// The tag that a change writes.
fn tag_of(change: &Change) -> Option<Tag> {
    match &change.key {
        Key::Tag(_, tag) => Some(tag.clone()),
        _ => None,
    }
}
