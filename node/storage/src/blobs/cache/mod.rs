//! Hot blobs on this machine's disk, in front of a store across the network.
//!
//! Only what is read whole is kept, and once the cache is full only what is asked for a second time, so that somebody who reads everything
//! once does not push out what is read all day. While a blob is being fetched, whoever asks for it reads along: one read of the store behind
//! serves them all. Nothing here is ever the only place of anything, and nothing is acknowledged here. Where the cache fails, its disk full
//! or broken, reads go on from the store behind.

mod directory;
mod fetch;
mod flight;
mod rest;
mod shelf;
mod source;

#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use zot_contract::{BlobUrl, UploadId};
use zot_oci::{ByteRange, Digest};

use super::{BlobStore, Opened, Staged, Staging, filesystem::read};
use crate::{BlobAddress, BlobKey, Result, error::chain};
use directory::Directory;
use fetch::Fetch;
use flight::{Flight, Flights};
use rest::Rest;
use shelf::Shelf;
use source::Source;

/// How many blobs are fetched at the same time at most; others are read past the cache.
const FETCHES_MAX: usize = 32;

/// What a blob is called in the cache: the digest of its store's name and its address.
type Name = Digest;

/// A directory of hot blobs, for one or several stores.
#[derive(Debug)]
pub struct BlobCache {
    directory: Directory,
    state: Mutex<State>,
    fetches: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    shelf: Shelf,
    flights: Flights,
    /// Whether the directory's content is known; until then nothing is fetched.
    loaded: bool,
    rest: Rest,
}

/// What a whole read is to do.
enum Plan {
    /// Read along with who fetches it.
    Follow(Flight),
    /// Fetch it.
    Fetch(Fetch),
    /// Read past the cache.
    Pass,
}

impl BlobCache {
    /// Opens the cache below `directory`, creating it when absent, to hold `bytes_max` bytes of blobs. What it holds already is found out
    /// in the background; to be called within a runtime.
    ///
    /// # Errors
    /// The directory cannot be created or is another process's.
    pub fn open(directory: PathBuf, bytes_max: u64) -> Result<Arc<Self>> {
        let directory = Directory::open(directory)?;
        let state = State { shelf: Shelf::new(bytes_max), flights: Flights::default(), loaded: false, rest: Rest::default() };
        let cache = Arc::new(Self { directory, state: Mutex::new(state), fetches: Arc::new(Semaphore::new(FETCHES_MAX)) });
        let loading = cache.clone();
        tokio::task::spawn_blocking(move || loading.load());
        Ok(cache)
    }

    /// Takes up what the directory holds, in the order in which it was written.
    fn load(&self) {
        let found = self.directory.list().unwrap_or_else(|error| {
            tracing::warn!(error = chain(&error), "could not list the blob cache, beginning with an empty one");
            Vec::new()
        });
        let mut evicted = Vec::new();
        let mut state = self.state.lock();
        for (name, size) in found {
            if state.shelf.reserve(size, &mut evicted) {
                state.shelf.keep(name, size);
            } else {
                evicted.push(name);
            }
        }
        state.loaded = true;
        drop(state);
        self.directory.remove(&evicted);
    }

    /// What is held of a blob.
    async fn held(&self, name: Name, source: &Source, range: ByteRange) -> Option<Opened> {
        let size = self.state.lock().shelf.touch(&name)?;
        if size != source.size {
            // Whoever is mistaken, the store behind has the answer.
            return None;
        }
        match read::read(self.directory.path(&name), size, range).await {
            Ok(opened) => Some(source::or_else_remote(opened, source.clone(), range, |_| true)),
            Err(error) => {
                tracing::warn!(error = chain(&error), "a cached blob cannot be read, dropping it");
                self.forget(name).await;
                None
            }
        }
    }

    /// Whether a blob is held, or on its way.
    fn has(&self, name: &Name) -> bool {
        let mut state = self.state.lock();
        state.flights.get(name).is_some() || state.shelf.touch(name).is_some()
    }

    /// Decides about a whole read of what is not held.
    fn plan(self: &Arc<Self>, name: Name, size: u64) -> Plan {
        let mut evicted = Vec::new();
        let mut state = self.state.lock();
        if let Some(flight) = state.flights.get(&name) {
            return Plan::Follow(flight);
        }
        if !state.loaded || state.rest.resting(Instant::now()) {
            return Plan::Pass;
        }
        let Ok(permit) = self.fetches.clone().try_acquire_owned() else { return Plan::Pass };
        if !state.shelf.admits(&name, size) || !state.shelf.reserve(size, &mut evicted) {
            return Plan::Pass;
        }
        let (number, report, flight) = state.flights.depart(name);
        Plan::Fetch(Fetch { cache: self.clone(), name, number, size, evicted, report, flight, kept: false, _permit: permit })
    }

    /// Drops what is held of a blob; what is being fetched of it will not be kept.
    async fn forget(&self, name: Name) {
        let held = {
            let mut state = self.state.lock();
            state.flights.cancel(&name);
            state.shelf.remove(&name)
        };
        if held {
            let path = self.directory.path(&name);
            // Nobody finds it any more; the file goes at the next start at the latest.
            tokio::task::spawn_blocking(move || super::filesystem::remove(&path)).await.ok();
        }
    }
}

/// A store across the network with a cache in front of it.
#[derive(Debug)]
pub struct CachedBlobs {
    remote: Arc<dyn BlobStore>,
    cache: Arc<BlobCache>,
    store: String,
}

impl CachedBlobs {
    /// Puts `cache` in front of `remote`. Stores that share a cache have different names.
    pub fn new(remote: Arc<dyn BlobStore>, cache: Arc<BlobCache>, store: impl Into<String>) -> Self {
        Self { remote, cache, store: store.into() }
    }

    fn name(&self, at: &BlobAddress) -> Name {
        Digest::sha256(format!("{}\n{}", self.store, at.as_str()).as_bytes())
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl BlobStore for CachedBlobs {
    fn staging(&self) -> Staging {
        self.remote.staging()
    }

    async fn stage(&self, upload: UploadId) -> Result<Box<dyn Staged>> {
        self.remote.stage(upload).await
    }

    async fn resume(&self, upload: UploadId, size: u64, state: &[u8]) -> Result<Option<Box<dyn Staged>>> {
        self.remote.resume(upload, size, state).await
    }

    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()> {
        self.remote.put(key, bytes).await
    }

    async fn read(&self, at: &BlobAddress, size: u64, range: ByteRange) -> Result<Opened> {
        let (name, source) = (self.name(at), Source { remote: self.remote.clone(), at: at.clone(), size });
        if let Some(held) = self.cache.held(name, &source, range).await {
            return Ok(held);
        }
        if range.length() != size {
            return self.remote.read(at, size, range).await;
        }
        match self.cache.plan(name, size) {
            Plan::Follow(flight) => flight.follow(source, range).await,
            Plan::Fetch(fetch) => fetch.start(source.clone()).follow(source, range).await,
            Plan::Pass => self.remote.read(at, size, range).await,
        }
    }

    async fn url(&self, at: &BlobAddress, size: u64, valid_for: Duration) -> Result<Option<BlobUrl>> {
        if self.cache.has(&self.name(at)) { Ok(None) } else { self.remote.url(at, size, valid_for).await }
    }

    async fn size(&self, at: &BlobAddress) -> Result<Option<u64>> {
        self.remote.size(at).await
    }

    async fn delete(&self, at: &BlobAddress) -> Result<()> {
        self.remote.delete(at).await?;
        self.cache.forget(self.name(at)).await;
        Ok(())
    }

    async fn staged(&self) -> Result<Vec<UploadId>> {
        self.remote.staged().await
    }

    async fn discard(&self, upload: UploadId, state: &[u8]) -> Result<Vec<String>> {
        self.remote.discard(upload, state).await
    }
}
