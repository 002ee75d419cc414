//! `storage.blobCache`: hot blobs of remote stores on this machine's disk.

use std::path::PathBuf;

use super::Store;
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::section;
use crate::setting::size::Size;

/// Less would hold no layer of most images.
const SIZE_MIN: Size = Size::of_bytes(64 << 20);

section! {
    /// Hot blobs of remote stores on this machine's disk, so that what is pulled all day is fetched once.
    pub struct BlobCache {
        /// Directory of the cache, for this process alone; it may be emptied while no process uses it.
        "directory" => directory: PathBuf = PathBuf::new();
        /// Most bytes that it holds; a blob of more than half of it is not cached.
        "size" => size: Size = Size::of_bytes(10 << 30);
    }
}

impl BlobCache {
    pub(super) fn check(&self, stores: &[&Store], path: &KeyPath, report: &Report) {
        if self.directory.as_os_str().is_empty() {
            report.problem(&path.key("directory"), "is needed");
        }
        if self.size < SIZE_MIN {
            report.problem(&path.key("size"), "must be at least 64MiB");
        }
        let holds = |store: &&Store| !store.root_directory.as_os_str().is_empty() && self.directory.starts_with(&store.root_directory);
        if stores.iter().any(|store| store.storage_driver.is_none() && holds(store)) {
            report.problem(&path.key("directory"), "must not be inside the root directory of a store");
        }
        if stores.iter().all(|store| store.storage_driver.is_none()) {
            report.warning(path, "has no effect: no store is remote");
        }
    }
}
