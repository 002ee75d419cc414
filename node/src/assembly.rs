//! The whole node on one page: which stores there are, what is around them, and which jobs run.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use zot_config::{Config, storage::Store};
use zot_contract::Registry;
use zot_runtime::{schedule::Alone, tasks::Tasks};
use zot_storage::{Local, LocalOptions, Progress, Rebuilt};

use crate::{jobs, routed::Routed};

/// The open stores of a configuration, as one registry.
#[derive(Debug)]
pub struct Node {
    registry: Arc<dyn Registry>,
    stores: Vec<Local>,
}

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("open store `{root}`", root = root.display())]
pub struct OpenError {
    root: PathBuf,
    #[source]
    source: zot_storage::Error,
}

impl Node {
    /// Opens every store of `config` and starts its jobs among `tasks`.
    pub async fn open(config: &Config, tasks: &Tasks, progress: Progress<'_>) -> Result<Self, OpenError> {
        let default = open(&config.storage.default, progress).await?;
        let (registry, mut stores) = (default.engine.clone(), vec![default]);
        let mut routes = BTreeMap::new();
        for (route, store) in &config.storage.sub_paths {
            // Routes with the same root directory share one store.
            let engine = match stores.iter().find(|open| open.root == store.root_directory) {
                Some(open) => open.engine.clone(),
                None => {
                    let opened = open(store, progress).await?;
                    let engine = opened.engine.clone();
                    stores.push(opened);
                    engine
                }
            };
            routes.insert(route.clone(), engine);
        }
        let engines = stores.iter().map(|store| store.engine.clone()).collect();
        jobs::start(engines, config.storage.all.upload_expiry, tasks, Arc::new(Alone));
        let registry: Arc<dyn Registry> = if routes.is_empty() { Arc::new(registry) } else { Arc::new(Routed::new(registry, routes)) };
        Ok(Self { registry, stores })
    }

    /// The registry that the stores are together.
    pub fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry)
    }

    /// Finishes what can be finished `within` a time and releases the stores. Call it when no request and no job is left.
    pub async fn close(self, within: Duration) -> Result<(), zot_storage::Error> {
        let closing = self.stores.iter().map(|store| store.engine.close(within));
        futures::future::try_join_all(closing).await.map(drop)
    }
}

/// Throws the metadata of every store away and reads it anew from the image layouts.
pub async fn rebuild(config: &Config, progress: Progress<'_>) -> Result<BTreeMap<PathBuf, Rebuilt>, OpenError> {
    let mut rebuilt = BTreeMap::new();
    for (_, store) in config.storage.stores() {
        let root = store.root_directory.clone();
        if !rebuilt.contains_key(&root) {
            let found = Local::rebuild(&options(store), progress).await;
            rebuilt.insert(root.clone(), found.map_err(|source| OpenError { root, source })?);
        }
    }
    Ok(rebuilt)
}

fn options(store: &Store) -> LocalOptions {
    LocalOptions { root: store.root_directory.clone(), durable: store.commit, dedupe: store.dedupe }
}

async fn open(store: &Store, progress: Progress<'_>) -> Result<Local, OpenError> {
    let root = store.root_directory.clone();
    let local = Local::open(&options(store), progress).await.map_err(|source| OpenError { root, source })?;
    if let Some(adopted) = local.adopted.filter(|adopted| adopted.repositories > 0) {
        let root = store.root_directory.display();
        let Rebuilt { repositories, manifests, tags, blobs, damaged } = adopted;
        tracing::info!(%root, repositories, manifests, tags, blobs, damaged, "adopted the image layouts of a directory without metadata");
    }
    Ok(local)
}
