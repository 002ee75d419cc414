//! One round of the projector: every mark that is there, repository by repository.

use std::collections::HashMap;

use bytes::Bytes;
use zot_oci::{Digest, RepositoryName};

use super::{Index, Projector, change::contents};
use crate::{
    Result,
    layouts::Change,
    metadata::{Expect, Key, Metadata, Outcome, Scan, Transaction},
};

/// Marks read, and layouts' files written, at a time: it bounds the memory for their content.
const MARKS_AT_A_TIME: usize = 200;

/// The most marks of one round. A repository's index is written once in a round, however many marks it has.
const ROUND_MARKS_MAX: usize = 20_000;

/// What a round did not come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    Some,
}

/// A round under way.
///
/// Whoever looks at a layout finds everything that its index lists: content is there before an index lists it, and goes after none does.
pub(super) struct Round<'a> {
    projector: &'a Projector,
    /// The repository whose marks come at this moment.
    current: Option<RepositoryName>,
    /// Its marks, as long as nothing failed.
    marks: Result<Vec<Mark>>,
    /// What they are about and its rows do not have any more.
    gone: Vec<Digest>,
    done: Vec<Mark>,
    failed: Option<crate::Error>,
}

/// A mark as it was when its projection began.
type Mark = (Key, u64);

impl<'a> Round<'a> {
    pub(super) fn new(projector: &'a Projector) -> Self {
        Self { projector, current: None, marks: Ok(Vec::new()), gone: Vec::new(), done: Vec::new(), failed: None }
    }

    /// A repository that fails keeps its marks and does not hold up the others.
    pub(super) async fn run(mut self) -> Result<Left> {
        let mut seen = 0;
        let mut after = None;
        let left = loop {
            let rows = self.projector.metadata.scan(&Scan::Unprojected(after.take()), MARKS_AT_A_TIME).await?;
            let more = rows.len() == MARKS_AT_A_TIME;
            after = rows.last().and_then(|(key, _)| unprojected(key)).map(|(name, digest)| (name.clone(), *digest));
            let marks: Vec<Mark> = rows.into_iter().map(|(key, row)| (key, row.version)).filter(|mark| self.is_mine(mark)).collect();
            seen += marks.len();
            for marks in marks.chunk_by(|(one, _), (other, _)| name(one) == name(other)) {
                self.add(marks).await;
            }
            if !more {
                break Left::Nothing;
            }
            if seen >= ROUND_MARKS_MAX {
                break Left::Some;
            }
        };
        self.finish_repository().await;
        self.projector.layouts.sync().await?;
        remove(self.projector.metadata.as_ref(), self.done).await?;
        self.failed.map_or(Ok(left), Err)
    }

    /// Shows what the marks of one repository ask for.
    async fn add(&mut self, marks: &[Mark]) {
        let Some(name) = marks.first().and_then(|(key, _)| name(key)) else { return };
        if self.current.as_ref() != Some(name) {
            self.finish_repository().await;
            self.current = Some(name.clone());
        }
        let shown = self.show(name, marks).await;
        match (&mut self.marks, shown) {
            (Ok(all), Ok(gone)) => {
                all.extend_from_slice(marks);
                self.gone.extend(gone);
            }
            (Ok(_), Err(error)) => self.marks = Err(error),
            (Err(_), _) => {}
        }
    }

    fn is_mine(&self, (key, _): &Mark) -> bool {
        self.projector.mine.as_ref().is_none_or(|mine| name(key).is_some_and(|name| mine(name)))
    }

    /// Shows what marks are about. Returns what the rows do not have any more.
    async fn show(&self, name: &RepositoryName, marks: &[Mark]) -> Result<Vec<Digest>> {
        let (mut shown, mut gone) = (Vec::with_capacity(marks.len()), Vec::new());
        for (_, digest) in marks.iter().filter_map(|(key, _)| unprojected(key)) {
            match contents(self.projector, name, digest).await? {
                Some(contents) => shown.extend(contents.into_iter().map(Change::Add)),
                None => gone.push(*digest),
            }
        }
        self.projector.layouts.apply(name, shown).await?;
        Ok(gone)
    }

    /// Writes the index of the repository whose marks were all seen.
    async fn finish_repository(&mut self) {
        let Some(name) = self.current.take() else { return };
        let gone = std::mem::take(&mut self.gone);
        let marks = std::mem::replace(&mut self.marks, Ok(Vec::new()));
        let finished = match marks {
            Ok(marks) => self.replace_index(&name, &marks, &gone).await.map(|()| marks),
            Err(error) => Err(error),
        };
        match finished {
            Ok(marks) => self.done.extend(marks),
            Err(error) => self.failed = Some(error),
        }
    }

    async fn replace_index(&self, name: &RepositoryName, marks: &[Mark], gone: &[Digest]) -> Result<()> {
        let projector = self.projector;
        let index = Index::read(projector.metadata.as_ref(), name).await?.encode()?;
        self.show_newer(name, marks).await?;
        projector.layouts.write_index(name, index.clone()).await?;
        self.hide(name, gone).await?;
        if projector.mine.is_some() && Index::read(projector.metadata.as_ref(), name).await?.encode()? != index {
            self.mark_again(marks).await?;
        }
        Ok(())
    }

    /// Shows what was pushed after the marks of the round were read: an index read since lists it. Its marks stay for the next round, whose index
    /// is sure to.
    async fn show_newer(&self, name: &RepositoryName, marks: &[Mark]) -> Result<()> {
        let seen: HashMap<&Key, u64> = marks.iter().map(|(key, version)| (key, *version)).collect();
        let rows = self.projector.metadata.scan(&Scan::UnprojectedOf(name.clone()), ROUND_MARKS_MAX).await?;
        let newer = rows.into_iter().map(|(key, row)| (key, row.version)).filter(|(key, version)| seen.get(key) != Some(version));
        let newer: Vec<Mark> = newer.collect();
        for marks in newer.chunks(MARKS_AT_A_TIME) {
            self.show(name, marks).await?;
        }
        Ok(())
    }

    /// Shows no longer what no index lists any more.
    async fn hide(&self, name: &RepositoryName, gone: &[Digest]) -> Result<()> {
        for digest in gone {
            if contents(self.projector, name, digest).await?.is_some() {
                continue;
            }
            self.projector.layouts.apply(name, vec![Change::Remove(*digest)]).await?;
            // What another projector has shown since, because it was pushed anew, is shown again. (What is shown for too long does no harm.)
            if self.projector.mine.is_some()
                && let Some(contents) = contents(self.projector, name, digest).await?
            {
                self.projector.layouts.apply(name, contents.into_iter().map(Change::Add).collect()).await?;
            }
        }
        Ok(())
    }

    /// Leaves a mark for the next round, in a version that nobody has seen yet.
    async fn mark_again(&self, marks: &[Mark]) -> Result<()> {
        let mut transaction = Transaction::new();
        marks.iter().take(1).for_each(|(key, _)| transaction.put(key.clone(), Expect::Anything, Bytes::new()));
        self.projector.metadata.commit(transaction).await?;
        self.projector.wake();
        Ok(())
    }
}

/// Removes marks; those that were set again since stay.
async fn remove(metadata: &dyn Metadata, marks: Vec<Mark>) -> Result<()> {
    for marks in marks.chunks(MARKS_AT_A_TIME.min(metadata.changes_max())) {
        if metadata.commit(removal(marks)).await? == Outcome::Conflict {
            let each = marks.chunks(1).map(|mark| metadata.commit(removal(mark)));
            futures::future::try_join_all(each).await?;
        }
    }
    Ok(())
}

fn removal(marks: &[Mark]) -> Transaction {
    let mut transaction = Transaction::new();
    marks.iter().for_each(|(key, version)| transaction.delete(key.clone(), Expect::Version(*version)));
    transaction
}

fn unprojected(mark: &Key) -> Option<(&RepositoryName, &Digest)> {
    match mark {
        Key::Unprojected(name, digest) => Some((name, digest)),
        _ => None,
    }
}

fn name(mark: &Key) -> Option<&RepositoryName> {
    unprojected(mark).map(|(name, _)| name)
}
