//! `storage`: where content is kept, and what is done to keep it small.

pub(crate) mod blob_cache;
pub(crate) mod cache;
pub(crate) mod driver;
pub(crate) mod places;
pub(crate) mod retention;
pub(crate) mod roots;
pub(crate) mod s3;
pub(crate) mod store;
pub(crate) mod window;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

pub use blob_cache::BlobCache;
pub use cache::{CacheDriver, DynamoDb};
pub use driver::{Azure, AzureCredentials, Gcs, StorageDriver};
pub use retention::{KeepTags, KeepUntagged, Retention, RetentionPolicy};
pub use s3::{PART_BYTES, S3};
pub use store::Store;
pub use window::TimeWindow;

use crate::cluster::Cluster;
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::{Keys, Section, section, show};
use crate::setting::{Found, Setting};
use store::SubStore;

/// `storage`: the default store, the stores beside it, and what concerns them all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Storage {
    /// The store of every repository whose name no route of [`Self::sub_paths`] begins.
    pub default: Store,
    /// Stores by route: `/a` is the store of the repositories whose names begin with `a/`.
    ///
    /// Two routes with the same root directory have equal stores, and are to be opened as one.
    pub sub_paths: BTreeMap<String, Store>,
    /// What concerns all stores.
    pub all: AllStores,
}

section! {
    /// What concerns all stores.
    pub struct AllStores {
        /// Most repositories that may exist; 0 for any number.
        "maxRepos" => max_repos: u64 = 0;
        /// Asks to skip the walk over the store at start; ours never walks.
        "fastRestart" => fast_restart: bool = false;
        /// Age at which an upload that nobody continues is given up.
        "uploadExpiry" => upload_expiry: Duration = Duration::from_secs(24 * 60 * 60);
        /// Hot blobs of remote stores on this machine's disk; none if absent.
        "blobCache" => blob_cache: Option<BlobCache> = None;
    }
}

impl Storage {
    /// Every store with its place in the file, the default one first.
    pub fn stores(&self) -> impl Iterator<Item = (KeyPath, &Store)> {
        let path = KeyPath::of("storage");
        let sub_paths = path.key("subPaths");
        let beside = self.sub_paths.iter().map(move |(route, store)| (sub_paths.entry(route), store));
        std::iter::once((path, &self.default)).chain(beside)
    }

    pub(crate) fn settle(&mut self, report: &Report) {
        let path = KeyPath::of("storage");
        self.default.settle(&path, report);
        for (route, store) in &mut self.sub_paths {
            store.settle(&path.key("subPaths").entry(route), report);
        }
    }

    pub(crate) fn check(&self, report: &Report) {
        self.default.check(&KeyPath::of("storage"), report);
        let path = KeyPath::of("storage.subPaths");
        for (route, store) in &self.sub_paths {
            let path = path.entry(route);
            check_route(route, &path, report);
            store.check(&path, report);
            store.check_beside_default(&path, report);
        }
        roots::check(self, report);
        places::check(self, report);
        if let Some(cache) = &self.all.blob_cache {
            let stores: Vec<&Store> = self.stores().map(|(_, store)| store).collect();
            cache.check(&stores, &KeyPath::of("storage.blobCache"), report);
        }
        if self.all.upload_expiry.is_zero() {
            report.problem(&KeyPath::of("storage.uploadExpiry"), "must be greater than zero");
        }
    }

    /// Reports remote stores that keep something on the local disk and do not say where.
    pub(crate) fn check_local_parts(&self, cluster: Option<&Cluster>, report: &Report) {
        let uploads = cluster.is_none_or(|cluster| cluster.redis.is_none());
        let nowhere = |store: &Store| store.storage_driver.is_some() && store.root_directory.as_os_str().is_empty();
        for (path, store) in self.stores().filter(|(_, store)| nowhere(store)) {
            let what = match (!store.has_remote_metadata(), uploads) {
                (true, true) => "the metadata and how far uploads are",
                (true, false) => "the metadata",
                (false, true) => "how far uploads are",
                (false, false) => continue,
            };
            let message = format!("a local directory is needed for {what}: `cacheDriver` and `cluster.redis` keep these elsewhere");
            report.problem(&path.key("rootDirectory"), message);
        }
    }
}

/// Names are routed by their first component, so that only `/component` can ever match.
fn check_route(route: &str, path: &KeyPath, report: &Report) {
    let component = route.strip_prefix('/').unwrap_or_default();
    if component.is_empty() || component.contains('/') {
        report.warning(path, "no repository is stored here: a route is a slash and the first component of a name, such as `/a`");
    }
}

impl Setting for Storage {
    fn read(found: &Found<'_>) -> Option<Self> {
        let mut section = Section::open(found)?;
        let default = Store::take(&mut section, Store::default());
        let all = AllStores::take(&mut section, AllStores::default());
        let sub_paths: BTreeMap<String, SubStore> = section.take(&["subPaths"], BTreeMap::new());
        section.finish();
        let sub_paths = sub_paths.into_iter().map(|(route, SubStore(store))| (route, store)).collect();
        Some(Self { default, sub_paths, all })
    }

    fn show(&self) -> Value {
        let mut shown = Map::new();
        self.default.show_into(&mut shown);
        self.all.show_into(&mut shown);
        if !self.sub_paths.is_empty() {
            let sub_paths: Map<String, Value> = self.sub_paths.iter().map(|(route, store)| (route.clone(), show(store))).collect();
            shown.insert("subPaths".to_owned(), Value::Object(sub_paths));
        }
        Value::Object(shown)
    }
}
