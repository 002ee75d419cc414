//! One store: a root directory or bucket with its own rules.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::{CacheDriver, Retention, StorageDriver, TimeWindow};
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::{read, section, show};
use crate::setting::{Found, Setting};

const HOUR: Duration = Duration::from_secs(60 * 60);

section! {
    /// One store: a root directory or bucket with its own rules.
    pub struct Store {
        /// Local directory of the content, or of what a remote store keeps locally; only with a remote store it may be empty.
        "rootDirectory" => root_directory: PathBuf = PathBuf::new();
        /// Whether equal content is kept once; off by default in `subPaths`.
        "dedupe" => dedupe: bool = true;
        /// Whether an answer waits until the content is on stable storage; zot's default is not to wait.
        "commit" => commit: bool = true;
        /// Whether the records of a remote store are kept remotely too; on by default where they can be.
        "remoteCache" => remote_cache: Option<bool> = None;
        /// Whether clients are sent to the remote store for blobs.
        "redirectBlobURL" => redirect_blob_url: bool = false;
        /// Whether content that nothing refers to is removed; off by default in `subPaths`.
        "gc" => gc: bool = true;
        /// Age before content that nothing refers to is removed.
        "gcDelay" => gc_delay: Duration = HOUR;
        /// Pause between two sweeps; zero sweeps once.
        "gcInterval" => gc_interval: Duration = HOUR;
        /// Time of day at which a sweep may start.
        "gcTimeWindow" => gc_time_window: Option<TimeWindow> = None;
        /// Which tags and untagged manifests are kept.
        "retention" => retention: Retention = Retention::default();
        /// The remote store; local if absent.
        "storageDriver" => storage_driver: Option<StorageDriver> = None;
        /// Where the records of a remote store are kept.
        "cacheDriver" => cache_driver: Option<CacheDriver> = None;
    }
}

impl Store {
    /// What a store under `subPaths` has where its section says nothing.
    pub(crate) fn beside_default() -> Self {
        Self { dedupe: false, gc: false, ..Self::default() }
    }

    /// Whether the records of a remote store are kept remotely too, after the default is applied.
    #[must_use]
    pub fn uses_remote_cache(&self) -> bool {
        self.remote_cache.unwrap_or(self.dedupe && self.storage_driver.is_some())
    }

    /// Whether its metadata is where all processes reach it.
    #[must_use]
    pub fn has_remote_metadata(&self) -> bool {
        self.cache_driver.is_some() && self.uses_remote_cache()
    }

    /// Age before untagged manifests and referrers are removed.
    #[must_use]
    pub fn retention_delay(&self) -> Duration {
        self.retention.delay.unwrap_or(if self.gc { self.gc_delay } else { Duration::ZERO })
    }

    /// `local`, or the name of the remote driver.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.storage_driver.as_ref().map_or("local", StorageDriver::name)
    }

    pub(super) fn settle(&mut self, path: &KeyPath, report: &Report) {
        // Stores with one place are one store, however their sections write it.
        self.root_directory = self.root_directory.components().collect();
        if let Some(driver) = &mut self.storage_driver {
            driver.settle(&path.key("storageDriver"), report);
        }
    }

    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        if self.storage_driver.is_none() && self.root_directory.as_os_str().is_empty() {
            report.problem(&path.key("rootDirectory"), "no storage config provided: a root directory is needed");
        }
        if self.redirect_blob_url && self.storage_driver.is_none() {
            let message = "invalid storage config, redirectBlobURL is supported only for s3/gcs/azure storage";
            report.problem(&path.key("redirectBlobURL"), message);
        }
        if let Some(driver) = &self.storage_driver {
            driver.check(&path.key("storageDriver"), report);
        }
        if let Some(StorageDriver::S3(s3)) = &self.storage_driver
            && s3.redirect_endpoint.is_some()
            && !self.redirect_blob_url
        {
            report.warning(&path.key("storageDriver.redirectendpoint"), "has no effect because `redirectBlobURL` is off");
        }
        self.check_cache(path, report);
        self.retention.check(&path.key("retention"), report);
    }

    fn check_cache(&self, path: &KeyPath, report: &Report) {
        let at = path.key("cacheDriver");
        match (&self.storage_driver, &self.cache_driver) {
            (_, Some(_)) if !self.uses_remote_cache() => {
                report.warning(&at, "has no effect because `remoteCache` is off");
            }
            (Some(_), None) if self.dedupe && self.uses_remote_cache() => {
                report.problem(&at, "dedupe set to true with remote storage and database, but no remote database configured")
            }
            (None, Some(CacheDriver::DynamoDb(_))) => {
                report.problem(&at, "cannot have local storage driver with remote database!");
            }
            (Some(_), Some(CacheDriver::DynamoDb(tables))) => tables.check(&at, report),
            (None, None) if self.remote_cache == Some(true) => {
                report.warning(&path.key("remoteCache"), "has no effect: the records of local storage are on the same disk");
            }
            _ => {}
        }
        if let Some(driver) = &self.cache_driver {
            driver.check(&at, report);
        }
    }

    /// What is refused of a store under `subPaths` only.
    pub(super) fn check_beside_default(&self, path: &KeyPath, report: &Report) {
        if self.gc && self.gc_delay.is_zero() {
            report.problem(&path.key("gcDelay"), "invalid garbage-collect delay specified, cannot be negative or zero");
        }
        if self.uses_remote_cache() && matches!(self.cache_driver, Some(CacheDriver::Redis(_))) {
            report.problem(&path.key("cacheDriver.name"), "unsupported database driver: only `dynamodb` can be used under `subPaths`");
        }
    }
}

/// A store under `subPaths`, which has other defaults.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SubStore(pub(super) Store);

impl Setting for SubStore {
    fn read(found: &Found<'_>) -> Option<Self> {
        read(found, Store::beside_default()).map(Self)
    }

    fn show(&self) -> Value {
        show(&self.0)
    }
}
