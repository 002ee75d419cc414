//! The shortest program that keeps the contract: maps behind one mutex. Whatever is looked up seldom is found by scanning.

mod blobs;
mod catalog;
mod manifests;
mod uploads;
mod users;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use zot_oci::{Digest, Manifest, MediaType, RepositoryName, Tag};

use crate::{Context, Error, FoundUser, OperationId, Result, UploadId, UserName};

/// A registry in memory.
#[derive(Default)]
pub struct MemoryRegistry {
    state: Mutex<State>,
    /// Where whole blobs are to be read, if not here: what their digest is put behind.
    elsewhere: Option<&'static str>,
}

#[derive(Default)]
struct State {
    /// Repositories that something was ever pushed to.
    repositories: BTreeMap<RepositoryName, Repository>,
    uploads: HashMap<UploadId, uploads::Upload>,
    users: BTreeMap<UserName, FoundUser>,
    /// Operations that have ended, and whether their change was made.
    operations: HashMap<OperationId, bool>,
}

#[derive(Default)]
struct Repository {
    blobs: BTreeMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, Held>,
    tags: BTreeMap<Tag, Digest>,
    /// Whether it has ever had a manifest.
    listed: bool,
}

/// A manifest that the registry has.
struct Held {
    media_type: MediaType,
    bytes: Bytes,
    content: Manifest,
}

impl MemoryRegistry {
    /// A registry that sends whoever wants a whole blob to `elsewhere`, with the blob's digest behind it.
    pub fn with_blobs_elsewhere(elsewhere: &'static str) -> Self {
        Self { elsewhere: Some(elsewhere), ..Self::default() }
    }
}

impl State {
    /// Makes the change of a call, unless another attempt at it has.
    fn once(&mut self, cx: &Context, change: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let Some(operation) = cx.operation else { return change(self) };
        match self.operations.get(&operation.id) {
            Some(true) => return Ok(()),
            Some(false) => {
                let source = "another attempt was refused".into();
                return Err(Error::Unavailable { what: "change", retry_after: Duration::from_secs(1), source });
            }
            None => {}
        }
        let changed = change(self);
        if changed.is_ok() || operation.again {
            self.operations.insert(operation.id, changed.is_ok());
        }
        changed
    }

    fn repository(&self, name: &RepositoryName) -> Result<&Repository> {
        self.repositories.get(name).ok_or_else(|| name_unknown(name))
    }

    fn repository_mut(&mut self, name: &RepositoryName) -> Result<&mut Repository> {
        self.repositories.get_mut(name).ok_or_else(|| name_unknown(name))
    }
}

impl Repository {
    /// The bytes of a blob, or of a manifest read as one.
    fn content(&self, digest: &Digest) -> Option<&Bytes> {
        self.blobs.get(digest).or_else(|| self.manifests.get(digest).map(|held| &held.bytes))
    }
}

impl fmt::Debug for MemoryRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRegistry").finish_non_exhaustive()
    }
}

fn name_unknown(repository: &RepositoryName) -> Error {
    Error::NameUnknown { repository: repository.clone() }
}

#[cfg(test)]
mod tests {
    use crate::{MemoryRegistry, suite};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn memory_keeps_the_contract() {
        suite::registry_suite(async || suite::Fixture::new(MemoryRegistry::default())).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn memory_with_blobs_elsewhere_keeps_the_contract() {
        suite::registry_suite(async || suite::Fixture::new(MemoryRegistry::with_blobs_elsewhere("http://elsewhere/"))).await;
    }

    #[tokio::test]
    async fn memory_keeps_the_contract_in_one_thread() {
        suite::registry_suite(async || suite::Fixture::new(MemoryRegistry::default())).await;
    }
}
