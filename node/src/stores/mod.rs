//! Opening one store of a configuration: on the local disk, or in services that several nodes reach.

mod local;
mod remote;

use std::{any::Any, error::Error as StdError};

use zot_config::{
    Config,
    storage::{Store, StorageDriver},
};
use zot_storage::{Engine, Progress, Rebuilt};

use crate::Ownership;

/// A store that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    place: String,
    /// What must live as long as the store.
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("open store `{place}`")]
pub struct OpenError {
    place: String,
    #[source]
    source: Box<dyn StdError + Send + Sync>,
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
        Some(StorageDriver::S3(s3)) => format!("s3://{}/{}", s3.bucket, s3.root_directory.trim_matches('/')),
        Some(driver) => driver.name().to_owned(),
        None => store.root_directory.display().to_string(),
    }
}

/// Opens a store.
pub(crate) async fn open(
    config: &Config,
    store: &Store,
    ownership: Option<&Ownership>,
    progress: Progress<'_>,
) -> Result<Opened, OpenError> {
    let opened = match &store.storage_driver {
        None => local::open(store, progress).await,
        Some(_) => remote::open(config, store, ownership, progress).await,
    };
    opened.map_err(|source| OpenError { place: place(store), source })
}

/// Throws the metadata of a store away and reads it anew from its image layouts.
pub(crate) async fn rebuild(config: &Config, store: &Store, progress: Progress<'_>) -> Result<Rebuilt, OpenError> {
    let rebuilt = match &store.storage_driver {
        None => local::rebuild(store, progress).await,
        Some(_) => remote::rebuild(config, store, progress).await,
    };
    rebuilt.map_err(|source| OpenError { place: place(store), source })
}

/// Says what a store without metadata was found to have.
fn adopted(place: &str, adopted: Option<Rebuilt>) {
    if let Some(adopted) = adopted.filter(|adopted| adopted.repositories > 0) {
        let Rebuilt { repositories, manifests, tags, blobs, damaged } = adopted;
        tracing::info!(root = place, repositories, manifests, tags, blobs, damaged, "adopted the image layouts of a store without metadata");
    }
}
