//! The whole node on one page: which stores there are, what is around them, and which jobs run.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use zot_config::{Config, storage::Store};
use zot_contract::Registry;
use zot_runtime::{schedule::Roles, tasks::Tasks};
use zot_storage::{Engine, Progress, Rebuilt};

use crate::{
    Ownership, jobs,
    routed::Routed,
    stores::{self, OpenError, Opened, Services},
};

/// For how long a link to a blob is good that a client was given (`redirectBlobURL`), as with zot. It is looked at when a request begins, so that
/// this bounds no transfer; a client that is cut off may use it again.
const LINK_VALID_FOR: Duration = Duration::from_secs(20 * 60);

/// The open stores of a configuration, as one registry.
#[derive(Debug)]
pub struct Node {
    registry: Arc<dyn Registry>,
    stores: Vec<Opened>,
}

impl Node {
    /// Opens every store of `config`. In a cluster, `ownership` says which repositories are this node's.
    pub async fn open(config: &Config, ownership: Option<&Ownership>, progress: Progress<'_>) -> Result<Self, OpenError> {
        let services = Services::open(config)?;
        let default = stores::open(config, &config.storage.default, &services, ownership, progress).await?;
        let (registry, mut stores) = (serving(&default, &config.storage.default), vec![default]);
        let mut routes = BTreeMap::new();
        for (route, store) in &config.storage.sub_paths {
            // Routes with the same place share one store.
            let engine = match stores.iter().find(|open| open.is_of(store)) {
                Some(open) => serving(open, store),
                None => {
                    let opened = stores::open(config, store, &services, ownership, progress).await?;
                    let engine = serving(&opened, store);
                    stores.push(opened);
                    engine
                }
            };
            routes.insert(route.clone(), engine);
        }
        let registry: Arc<dyn Registry> = if routes.is_empty() { Arc::new(registry) } else { Arc::new(Routed::new(registry, routes)) };
        Ok(Self { registry, stores })
    }

    /// Starts the jobs of the stores among `tasks`, in the `roles` that this process has.
    pub fn run_jobs(self: &Arc<Self>, config: &Config, tasks: &Tasks, roles: Arc<dyn Roles>) {
        jobs::start(self, config.storage.all.upload_expiry, tasks, roles);
    }

    /// The stores.
    pub(crate) fn stores(&self) -> &[Opened] {
        &self.stores
    }

    /// The registry that the stores are together.
    pub fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry)
    }

    /// Finishes what can be finished `within` a time and releases the stores. Call it when no request and no job is left.
    pub async fn close(&self, within: Duration) -> Result<(), zot_storage::Error> {
        let closing = self.stores.iter().map(|store| store.engine.close(within));
        futures::future::try_join_all(closing).await.map(drop)
    }
}

/// The engine of a store as its section has it used.
fn serving(opened: &Opened, store: &Store) -> Engine {
    opened.engine.clone().with_links(store.redirect_blob_url.then_some(LINK_VALID_FOR))
}

/// Throws the metadata of every store away and reads it anew from the image layouts. Says what was found at each place.
pub async fn rebuild(config: &Config, progress: Progress<'_>) -> Result<BTreeMap<String, Rebuilt>, OpenError> {
    let services = Services::open(config)?;
    let mut rebuilt = BTreeMap::new();
    for (_, store) in config.storage.stores() {
        if let Entry::Vacant(entry) = rebuilt.entry(stores::place(store)) {
            entry.insert(stores::rebuild(config, store, &services, progress).await?);
        }
    }
    Ok(rebuilt)
}
