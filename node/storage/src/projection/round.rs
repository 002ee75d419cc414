//! One round of the projector: every mark that is there, repository by repository.

use bytes::Bytes;
use zot_oci::{Digest, RepositoryName};

use super::{Index, Projector, change::changes};
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
pub(super) struct Round<'a> {
    projector: &'a Projector,
    /// The repository whose marks come at this moment.
    current: Option<RepositoryName>,
    /// Its marks, as long as nothing failed.
    marks: Result<Vec<Mark>>,
    done: Vec<Mark>,
    failed: Option<crate::Error>,
}

/// A mark as it was when its projection began.
type Mark = (Key, u64);

impl<'a> Round<'a> {
    pub(super) fn new(projector: &'a Projector) -> Self {
        Self { projector, current: None, marks: Ok(Vec::new()), done: Vec::new(), failed: None }
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

    /// Writes the files that the marks of one repository ask for.
    async fn add(&mut self, marks: &[Mark]) {
        let Some(name) = marks.first().and_then(|(key, _)| name(key)) else { return };
        if self.current.as_ref() != Some(name) {
            self.finish_repository().await;
            self.current = Some(name.clone());
        }
        let written = self.write_files(name, marks).await;
        match (&mut self.marks, written) {
            (Ok(all), Ok(())) => all.extend_from_slice(marks),
            (Ok(_), Err(error)) => self.marks = Err(error),
            (Err(_), _) => {}
        }
    }

    fn is_mine(&self, (key, _): &Mark) -> bool {
        self.projector.mine.as_ref().is_none_or(|mine| name(key).is_some_and(|name| mine(name)))
    }

    async fn write_files(&self, name: &RepositoryName, marks: &[Mark]) -> Result<()> {
        let mut all = Vec::with_capacity(marks.len());
        let mut removed = Vec::new();
        for (_, digest) in marks.iter().filter_map(|(key, _)| unprojected(key)) {
            let changes = changes(self.projector, name, digest).await?;
            removed.extend(changes.iter().filter(|change| matches!(change, Change::Remove(_))).map(|_| *digest));
            all.extend(changes);
        }
        self.projector.layouts.apply(name, all).await?;
        if self.projector.mine.is_some() { self.check_removed(name, removed).await } else { Ok(()) }
    }

    /// Shows again what another projector has shown since, because it was pushed anew. (What is shown for too long does no harm.)
    async fn check_removed(&self, name: &RepositoryName, removed: Vec<Digest>) -> Result<()> {
        for digest in removed {
            let changes = changes(self.projector, name, &digest).await?;
            if !matches!(changes.as_slice(), [Change::Remove(_)]) {
                self.projector.layouts.apply(name, changes).await?;
            }
        }
        Ok(())
    }

    /// Writes the index of the repository whose marks were all seen.
    async fn finish_repository(&mut self) {
        let Some(name) = self.current.take() else { return };
        let marks = std::mem::replace(&mut self.marks, Ok(Vec::new()));
        let finished = match marks {
            Ok(marks) => self.write_index(&name, &marks).await.map(|()| marks),
            Err(error) => Err(error),
        };
        match finished {
            Ok(marks) => self.done.extend(marks),
            Err(error) => self.failed = Some(error),
        }
    }

    async fn write_index(&self, name: &RepositoryName, marks: &[Mark]) -> Result<()> {
        let projector = self.projector;
        let index = Index::read(projector.metadata.as_ref(), name).await?.encode()?;
        projector.layouts.write_index(name, index.clone()).await?;
        if projector.mine.is_some() && Index::read(projector.metadata.as_ref(), name).await?.encode()? != index {
            self.mark_again(marks).await?;
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
