//! Opening one store of a configuration: on the local disk, or in services that several nodes reach.

mod disk;
mod local;
mod others;
mod remote;

use std::{any::Any, error::Error as StdError, sync::Arc};

use zot_config::{
    Config,
    storage::{StorageDriver, Store},
};
use zot_redis::Connection;
use zot_runtime::telemetry::chain;
use zot_storage::{Engine, Progress, Rebuilt, blobs::BlobCache};

use crate::Ownership;
pub(crate) use remote::Orphans;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What the remote stores of a process share.
#[derive(Debug)]
pub(crate) struct Services {
    cache: Option<Arc<BlobCache>>,
    redis: Option<Connection>,
}

impl Services {
    /// Opens those that the configuration names. Redis need not be there yet.
    pub(crate) fn open(config: &Config) -> Result<Self, OpenError> {
        let redis = config.cluster.as_ref().and_then(|cluster| cluster.redis.as_ref()).map(Connection::open).transpose();
        let redis = redis.map_err(|error| OpenError { place: "cluster.redis".to_owned(), source: error.into() })?;
        Ok(Self { cache: config.storage.all.blob_cache.as_ref().and_then(cache), redis })
    }
}

/// The cache of hot blobs. Without it, reads cost more and are not wrong.
fn cache(config: &zot_config::storage::BlobCache) -> Option<Arc<BlobCache>> {
    let opened = BlobCache::open(config.directory.clone(), config.size.bytes());
    let warn = |error: &zot_storage::Error| tracing::warn!(error = %chain(error), "could not open the cache of blobs, going on without it");
    opened.inspect_err(warn).ok()
}

/// A store that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    place: String,
    /// What may lie about in a remote store.
    pub(crate) orphans: Option<Orphans>,
    /// What must live as long as the store.
    #[expect(dead_code, reason = "held, not used")]
    guard: Option<Box<dyn Any + Send + Sync>>,
}

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("open store `{place}`")]
pub struct OpenError {
    place: String,
    #[source]
    source: BoxError,
}

impl Opened {
    /// Whether this is the store of that section.
    pub(crate) fn is_of(&self, store: &Store) -> bool {
        self.place == place(store)
    }
}

/// Names the place of a store: two sections with the same one are one store.
pub(crate) fn place(store: &Store) -> String {
    match &store.storage_driver {
        Some(StorageDriver::S3(s3)) => s3.place(),
        Some(driver) => driver.name().to_owned(),
        None => store.root_directory.display().to_string(),
    }
}

/// Opens a store.
pub(crate) async fn open(
    config: &Config,
    store: &Store,
    services: &Services,
    ownership: Option<&Ownership>,
    progress: Progress<'_>,
) -> Result<Opened, OpenError> {
    let opened = match &store.storage_driver {
        None => local::open(store, progress).await,
        Some(_) => remote::open(config, store, services, ownership, progress).await,
    };
    opened.map_err(|source| OpenError { place: place(store), source })
}

/// Throws the metadata of a store away and reads it anew from its image layouts.
pub(crate) async fn rebuild(config: &Config, store: &Store, services: &Services, progress: Progress<'_>) -> Result<Rebuilt, OpenError> {
    let rebuilt = match &store.storage_driver {
        None => local::rebuild(store, progress).await,
        Some(_) => remote::rebuild(config, store, services, progress).await,
    };
    rebuilt.map_err(|source| OpenError { place: place(store), source })
}

/// Says what a store without metadata was found to have.
fn adopted(place: &str, adopted: Option<Rebuilt>) {
    if let Some(adopted) = adopted.filter(|adopted| adopted.repositories > 0) {
        let Rebuilt { repositories, manifests, tags, blobs, damaged } = adopted;
        tracing::info!(
            root = place,
            repositories,
            manifests,
            tags,
            blobs,
            damaged,
            "adopted the image layouts of a store without metadata"
        );
    }
}
