//! Fetching a blob into the cache: hashed while it is written, kept if it is what its digest says.

use std::{fs::File, mem, os::unix::fs::FileExt, path::PathBuf, sync::Arc, time::Instant};

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, watch};
use zot_oci::{ByteRange, Hasher};

use super::{
    BlobCache, Name,
    flight::{Flight, Progress},
    source::Source,
};
use crate::{
    Error, Result,
    blobs::{
        filesystem::{create, remove},
        in_memory,
    },
    error::{blocking, chain},
};

/// A blob to be fetched, for which room is taken.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) cache: Arc<BlobCache>,
    pub(super) name: Name,
    pub(super) number: u64,
    pub(super) size: u64,
    /// Blobs that have to go before.
    pub(super) evicted: Vec<Name>,
    pub(super) report: watch::Sender<Progress>,
    pub(super) flight: Flight,
    /// Whether the room is the blob's now.
    pub(super) kept: bool,
    pub(super) _permit: OwnedSemaphorePermit,
}

/// Why a fetch came to nothing.
enum Failure {
    /// The store behind failed, or its bytes are wrong: whoever reads along has to know.
    Remote(Error),
    /// The cache failed: whoever reads along goes on without it.
    Cache(Error),
}

/// What has been written.
struct Spool {
    file: Arc<File>,
    path: PathBuf,
    hasher: Hasher,
    written: u64,
}

impl Fetch {
    /// Fetches in the background, to the end even if nobody reads along any more.
    pub(super) fn start(self, source: Source) -> Flight {
        let flight = self.flight.clone();
        tokio::spawn(self.run(source));
        flight
    }

    async fn run(mut self, source: Source) {
        let path = self.cache.directory.fetching(&self.name, self.number);
        let failure = match self.fetch(&source, path.clone()).await {
            Ok(()) => return,
            Err(failure) => failure,
        };
        match failure {
            Failure::Remote(error) => {
                tracing::warn!(error = chain(&error), blob = source.at.as_str(), "could not fetch a blob into the cache");
                self.report.send_modify(|progress| progress.failure = Some(Arc::new(error)));
            }
            Failure::Cache(error) => self.cache.failed(&error),
        }
        // What cannot be removed goes at the next start.
        blocking(move || remove(&path)).await.ok();
    }

    async fn fetch(&mut self, source: &Source, path: PathBuf) -> std::result::Result<(), Failure> {
        let mut spool = self.make_room(source, path).await.map_err(Failure::Cache)?;
        // A blob without bytes is never read.
        let Some(range) = ByteRange::whole(self.size) else { return Ok(()) };
        let mut pieces = in_memory(source.read(range).await.map_err(Failure::Remote)?);
        self.report.send_modify(|progress| progress.file = Some(spool.file.clone()));
        while let Some(piece) = pieces.next().await {
            let before = spool.written;
            spool = spool.write(piece.map_err(Failure::Remote)?).await.map_err(Failure::Cache)?;
            self.report.send_modify(|progress| progress.readable = before);
        }
        let (file, path) = spool.check(source).map_err(Failure::Remote)?;
        self.report.send_modify(|progress| progress.readable = self.size);
        self.keep(file, path).await.map_err(Failure::Cache)
    }

    async fn make_room(&mut self, source: &Source, path: PathBuf) -> Result<Spool> {
        let (cache, evicted) = (self.cache.clone(), mem::take(&mut self.evicted));
        let hasher = Hasher::new(source.at.key.digest().algorithm());
        blocking(move || {
            cache.directory.remove(&evicted);
            Ok(Spool { file: Arc::new(create(&path)?), path, hasher, written: 0 })
        })
        .await
    }

    /// Puts the blob on the shelf, unless it was deleted meanwhile.
    async fn keep(&mut self, file: Arc<File>, path: PathBuf) -> Result<()> {
        let (cache, name) = (self.cache.clone(), self.name);
        blocking(move || cache.directory.publish(&file, &path, &name)).await?;
        self.kept = {
            let mut state = self.cache.state.lock();
            let keep = state.flights.land(&self.name, self.number);
            if keep {
                state.shelf.keep(self.name, self.size);
            }
            keep
        };
        if !self.kept {
            let cache = self.cache.clone();
            blocking(move || {
                cache.directory.remove(&[name]);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        if !self.kept {
            let mut state = self.cache.state.lock();
            state.flights.land(&self.name, self.number);
            state.shelf.release(self.size);
        }
    }
}

impl Spool {
    async fn write(mut self, piece: Bytes) -> Result<Self> {
        blocking(move || {
            self.hasher.update(&piece);
            self.file.write_all_at(&piece, self.written).map_err(Error::file("write", &self.path))?;
            self.written += piece.len() as u64;
            Ok(self)
        })
        .await
    }

    /// Whether what was written is the blob.
    fn check(self, source: &Source) -> Result<(Arc<File>, PathBuf)> {
        let found = self.hasher.finish();
        if self.written != source.size || found != *source.at.key.digest() {
            let found = format!("it has {} bytes with digest {found}, {} were stored", self.written, source.size);
            return Err(Error::damaged(format!("blob {}", source.at.as_str()), found));
        }
        Ok((self.file, self.path))
    }
}

impl BlobCache {
    /// Fetches nothing for a while after the disk failed.
    fn failed(&self, error: &Error) {
        if self.state.lock().rest.begin(Instant::now()) {
            tracing::warn!(error = chain(error), "the blob cache is off for a while: reads go past it");
        }
    }
}
