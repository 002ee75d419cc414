//! Several engines over the same stores, as processes of a cluster are.

#![cfg(test)]

mod contract;
mod faults;
mod layouts;
mod links;
mod manifests;
mod operations;
mod places;
mod round_robin;
mod steps;
mod uploads;

use std::sync::Arc;

use zot_contract::{Registry, suite::Client};
use zot_storage::{
    Engine,
    blobs::{BlobStore, MemoryBlobs},
    metadata::{MemoryMetadata, Metadata},
    sessions::{MemorySessions, Sessions},
};

/// The stores that engines share.
#[derive(Clone)]
struct Stores {
    metadata: Arc<dyn Metadata>,
    blobs: Arc<dyn BlobStore>,
    /// The same as `blobs`.
    memory: Arc<MemoryBlobs>,
    sessions: Arc<dyn Sessions>,
    dedupe: bool,
}

impl Stores {
    /// Stores of which a transaction changes `changes_max` rows at most.
    fn limited(changes_max: usize) -> Self {
        let memory = Arc::new(MemoryBlobs::remote());
        Self {
            metadata: Arc::new(MemoryMetadata::limited(changes_max)),
            blobs: memory.clone(),
            memory,
            sessions: Arc::new(MemorySessions::shared()),
            dedupe: true,
        }
    }

    fn new() -> Self {
        Self::limited(usize::MAX)
    }

    /// The places that there are bytes at, as a bucket would list them.
    fn places(&self) -> Vec<String> {
        self.memory.places()
    }

    fn engine(&self) -> Engine {
        Engine::new(self.metadata.clone(), self.blobs.clone(), self.sessions.clone(), self.dedupe)
    }

    /// A client of an engine of its own.
    fn client(&self, repository: &str) -> Client {
        let registry: Arc<dyn Registry> = Arc::new(self.engine());
        Client::new(&registry, repository)
    }
}
