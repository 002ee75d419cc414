//! Keeps every repository's OCI image layout on disk current with the rows, a moment behind them.
//!
//! A push leaves a mark ([`Key::Unprojected`]) in its own transaction; the projector turns marks into hard links and a new `index.json`, then
//! removes them. So a crash loses no change, and many pushes to one repository share one rewrite of its index.

mod directory;
mod index;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, Notify};
use zot_oci::{Digest, Manifest, RepositoryName};

use crate::{
    BlobKey, Result,
    blobs::{BlobStore, read_whole},
    error::{blocking, chain},
    metadata::{
        Expect, Key, Metadata, Row, Scan, Transaction,
        rows::{BlobRow, LinkRow, Location, ManifestRow},
    },
};
pub(crate) use directory::LayoutDirectory;
pub(crate) use index::{Index, REFERENCE_NAME};

/// Marks turned into layouts at a time.
const MARKS_AT_A_TIME: usize = 1000;

/// The shortest pause between two rounds, in which changes gather.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// A pause is this many times as long as the round before it took, so that rewriting large indexes uses a bounded share of one core.
const PAUSE_FACTOR: u32 = 20;

/// The longest pause, so that layouts are never further behind.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The pause after a round that failed.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);

/// Turns marks into image layouts.
#[derive(Debug)]
pub(crate) struct Projector {
    metadata: Arc<dyn Metadata>,
    blobs: Arc<dyn BlobStore>,
    directory: LayoutDirectory,
    changed: Notify,
    /// Held for a round, so that there is one at a time.
    round: Mutex<()>,
}

/// What a layout has to get or to lose for one changed manifest.
enum Change {
    Add(Vec<Content>),
    Remove(Digest),
}

/// A file of a layout.
pub(crate) enum Content {
    Linked(Digest, BlobKey),
    Written(Digest, bytes::Bytes),
}

impl Projector {
    pub(crate) fn new(metadata: Arc<dyn Metadata>, blobs: Arc<dyn BlobStore>, directory: LayoutDirectory) -> Self {
        Self { metadata, blobs, directory, changed: Notify::new(), round: Mutex::new(()) }
    }

    /// Tells that there are new marks.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Works until the future is dropped.
    pub(crate) async fn run(&self) {
        // Marks of an earlier process come first.
        self.wake();
        loop {
            self.changed.notified().await;
            let start = Instant::now();
            let pause = match self.project_all().await {
                Ok(()) => (start.elapsed() * PAUSE_FACTOR).clamp(PAUSE_MIN, PAUSE_MAX),
                Err(error) => {
                    tracing::error!(error = %chain(&error), "could not bring image layouts up to date, trying again");
                    self.wake();
                    PAUSE_AFTER_ERROR
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Works until there are no marks.
    pub(crate) async fn project_all(&self) -> Result<()> {
        let _one = self.round.lock().await;
        loop {
            let marks = self.metadata.scan(&Scan::Unprojected, MARKS_AT_A_TIME).await?;
            if marks.is_empty() {
                return Ok(());
            }
            self.project(marks).await?;
        }
    }

    /// Projects all repositories with marks. One that fails keeps its marks and does not hold up the others.
    async fn project(&self, marks: Vec<(Key, Row)>) -> Result<()> {
        let mut done = Transaction::new();
        let mut failed = None;
        for marks in marks.chunk_by(|(one, _), (other, _)| repository(one) == repository(other)) {
            let Some(name) = marks.first().and_then(|(key, _)| repository(key)) else {
                continue;
            };
            match self.project_repository(name, marks).await {
                Ok(()) => marks.iter().for_each(|(key, row)| done.delete(key.clone(), Expect::Version(row.version))),
                Err(error) => failed = Some(error),
            }
        }
        let directory = self.directory.clone();
        blocking(move || directory.sync()).await?;
        self.remove_marks(done).await?;
        failed.map_or(Ok(()), Err)
    }

    /// Removes marks one by one: those that were set again since stay.
    async fn remove_marks(&self, done: Transaction) -> Result<()> {
        let removals = done.changes.into_iter().map(|change| {
            let transaction = Transaction { changes: vec![change] };
            self.metadata.commit(transaction)
        });
        futures::future::try_join_all(removals).await.map(drop)
    }

    async fn project_repository(&self, name: &RepositoryName, marks: &[(Key, Row)]) -> Result<()> {
        let mut changes = Vec::with_capacity(marks.len());
        for (key, _) in marks {
            if let Key::Unprojected(_, digest) = key {
                changes.push(self.change(name, digest).await?);
            }
        }
        let index = Index::read(self.metadata.as_ref(), name).await?;
        let (directory, name) = (self.directory.clone(), name.clone());
        blocking(move || {
            directory.create(&name)?;
            for change in changes {
                match change {
                    Change::Add(contents) => contents.into_iter().try_for_each(|content| directory.add(&name, content))?,
                    Change::Remove(digest) => directory.remove(&name, &digest)?,
                }
            }
            directory.write_index(&name, &index)
        })
        .await
    }

    async fn change(&self, name: &RepositoryName, digest: &Digest) -> Result<Change> {
        let key = Key::Manifest(name.clone(), *digest);
        let Some(row) = self.metadata.get(&key).await? else {
            let link = self.metadata.get(&Key::Link(name.clone(), *digest)).await?;
            return Ok(if link.is_some() { Change::Add(Vec::new()) } else { Change::Remove(*digest) });
        };
        let row: ManifestRow = row.read(&key)?;
        let (bytes, content) = match row.location() {
            Location::Inline => (row.inline.clone(), Content::Written(*digest, row.inline.clone())),
            Location::Shared | Location::Own => {
                let key = BlobKey::own(name, digest);
                (read_whole(self.blobs.as_ref(), &key, row.size).await?, Content::Linked(*digest, key))
            }
        };
        let mut contents = self.linked(name, &row.info(*digest)?.media_type, &bytes).await?;
        contents.push(content);
        Ok(Change::Add(contents))
    }

    /// The blobs that a manifest needs, as files of the layout.
    async fn linked(&self, name: &RepositoryName, media_type: &zot_oci::MediaType, bytes: &[u8]) -> Result<Vec<Content>> {
        // It was parsed when it was pushed; one of a type that is no longer known has no blobs to show.
        let blobs = Manifest::parse(media_type, bytes).map(|manifest| manifest.blobs).unwrap_or_default();
        let mut contents = Vec::with_capacity(blobs.len() + 1);
        for digest in blobs.into_iter().map(|blob| blob.digest) {
            let key = Key::Link(name.clone(), digest);
            let Some(row) = self.metadata.get(&key).await? else { continue };
            match row.read::<LinkRow>(&key)?.location() {
                Location::Shared => contents.push(Content::Linked(digest, BlobKey::shared(&digest))),
                Location::Inline => contents.extend(self.inline(digest).await?),
                Location::Own => contents.push(Content::Linked(digest, BlobKey::own(name, &digest))),
            }
        }
        Ok(contents)
    }

    async fn inline(&self, digest: Digest) -> Result<Option<Content>> {
        let key = Key::Blob(digest);
        let Some(row) = self.metadata.get(&key).await? else {
            return Ok(None);
        };
        Ok(Some(Content::Written(digest, row.read::<BlobRow>(&key)?.inline)))
    }
}

fn repository(mark: &Key) -> Option<&RepositoryName> {
    match mark {
        Key::Unprojected(name, _) => Some(name),
        _ => None,
    }
}
