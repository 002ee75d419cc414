//! The rows of a manifest, and how they are split where a transaction has room for few.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use zot_contract::{ManifestPush, TagRule};
use zot_oci::{Digest, Manifest, RepositoryName};

use super::referrer;
use crate::{
    Result,
    engine::operations::unended,
    metadata::{
        Change, Expect, Key, Transaction, Write,
        rows::{ManifestRow, TagRow},
    },
};

/// The rows that make a manifest one of a repository's.
#[derive(Debug)]
pub(crate) struct PushRows {
    /// The manifest's, its entry among the referrers, and the repository's if that is new.
    pub(super) own: Vec<Change>,
    /// For each thing that it needs, the reference, and where it is a blob the link. They change together.
    needs: BTreeMap<Digest, Vec<Change>>,
    pub(super) tags: Vec<Change>,
}

/// Transactions that do a push, in this order.
#[derive(Debug)]
pub(super) struct Steps {
    /// References, before there is a manifest that they are of.
    pub(super) before: Vec<Transaction>,
    /// The manifest, with as much of the rest as there is room for.
    pub(super) last: Transaction,
    /// Tags for which there was no room.
    pub(super) after: Vec<Transaction>,
}

impl PushRows {
    /// The rows of a manifest alone.
    pub(crate) fn new(repository: &RepositoryName, manifest: &Manifest, push: &ManifestPush, row: &ManifestRow) -> Result<Self> {
        let mut own = vec![put(Key::Manifest(repository.clone(), push.digest), row.encode_to_vec())];
        if let Some(subject) = &manifest.subject {
            let entry = referrer::row(&referrer::entry(manifest, push.digest, &row.media_type, row.size))?;
            own.push(put(Key::Referrer(repository.clone(), subject.digest, push.digest), entry));
        }
        let reference = |target| (target, vec![put(Key::Reference(repository.clone(), target, push.digest), Bytes::new())]);
        let needs = references(manifest).into_iter().map(reference).collect();
        let mut tags: Vec<_> = push.tags.iter().collect();
        // Those that depend on what is there come first: what goes into the transaction of the manifest is decided with it.
        tags.sort_unstable_by_key(|pushed| (pushed.rule == TagRule::Any, &pushed.tag));
        tags.dedup_by_key(|pushed| &pushed.tag);
        let tag = TagRow { digest: (&push.digest).into(), pushed_unix_ms: row.pushed_unix_ms };
        let tags = tags.into_iter().map(|pushed| Change {
            expect: match pushed.rule {
                TagRule::Any => Expect::Anything,
                TagRule::New => Expect::Absent,
                TagRule::Existing => Expect::Present,
            },
            ..put(Key::Tag(repository.clone(), pushed.tag.clone()), tag.encode_to_vec())
        });
        Ok(Self { own, needs, tags: tags.collect() })
    }

    /// Adds a change to the link of a blob that the manifest needs.
    pub(super) fn touch(&mut self, blob: &Digest, change: Change) {
        self.needs.entry(*blob).or_default().push(change);
    }

    pub(super) fn len(&self) -> usize {
        self.own.len() + self.tags.len() + self.needs.values().map(Vec::len).sum::<usize>()
    }

    /// All rows as one transaction.
    pub(crate) fn whole(self) -> Transaction {
        Transaction { changes: self.own.into_iter().chain(self.tags).chain(self.needs.into_values().flatten()).collect() }
    }

    /// The rows as transactions of at most `changes_max`, of which that of the manifest has the condition that the push's `mark` is still the one
    /// it set. The last of all has the `ending` of the push.
    pub(super) fn steps(self, mark: &Key, set: u64, ending: Option<Change>, changes_max: usize) -> Steps {
        let room = changes_max - ending.iter().len();
        let manifest: Vec<Change> = self.own.iter().take(1).map(|own| Change { expect: Expect::Present, ..own.clone() }).collect();
        let mut last = Transaction { changes: self.own };
        last.put(mark.clone(), Expect::Version(set), Bytes::new());
        let mut tags = self.tags;
        let rest = tags.split_off(tags.len().min(room - last.len()));
        last.changes.extend(tags);
        let mut needs: Vec<Vec<Change>> = self.needs.into_values().collect();
        while let Some(need) = needs.pop_if(|need| last.len() + need.len() <= room) {
            last.changes.extend(need);
        }
        let after = rest.chunks(room - manifest.len() - 1).map(|tags| {
            let mut some = Transaction { changes: [manifest.as_slice(), tags].concat() };
            some.put(mark.clone(), Expect::Anything, Bytes::new());
            some
        });
        let mut steps = Steps { before: packed(needs, changes_max), last, after: after.collect() };
        steps.end_with(ending);
        steps
    }
}

impl Steps {
    /// Has the push end with its last transaction, and none that writes tags be applied after that.
    fn end_with(&mut self, ending: Option<Change>) {
        let Some(ending) = ending else { return };
        let mut tagging: Vec<_> = [&mut self.last].into_iter().chain(&mut self.after).collect();
        if let Some(end) = tagging.pop() {
            end.changes.push(ending.clone());
        }
        tagging.into_iter().for_each(|earlier| earlier.changes.push(unended(&ending)));
    }
}

/// Groups of changes as transactions, none split.
fn packed(groups: Vec<Vec<Change>>, changes_max: usize) -> Vec<Transaction> {
    let mut packed: Vec<Transaction> = Vec::new();
    for group in groups {
        match packed.last_mut().filter(|some| some.len() + group.len() <= changes_max) {
            Some(some) => some.changes.extend(group),
            None => packed.push(Transaction { changes: group }),
        }
    }
    packed
}

fn put(key: Key, value: impl Into<Bytes>) -> Change {
    Change { key, expect: Expect::Anything, write: Write::Put(value.into()) }
}

/// What a manifest keeps from being deleted, each once.
pub(super) fn references(manifest: &Manifest) -> Vec<Digest> {
    let mut targets: Vec<Digest> = manifest.blobs.iter().chain(&manifest.children).map(|descriptor| descriptor.digest).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}
