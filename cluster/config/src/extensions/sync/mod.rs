//! `extensions.sync`: copying from other registries.

mod oauth2;
mod registry;

use std::path::PathBuf;

pub use oauth2::OAuth2CredentialHelper;
pub use registry::{CredentialHelper, SyncContent, SyncRegistry, SyncTags};

use crate::http::Http;
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::section;

section! {
    /// Copying from other registries.
    pub struct Sync {
        /// Whether it is done.
        "enable" => enable: bool = true;
        /// File with names and passwords by registry.
        "credentialsFile" => credentials_file: Option<PathBuf> = None;
        /// Local directory that content passes on its way to a remote store.
        "downloadDir" => download_dir: Option<PathBuf> = None;
        /// The other registries.
        "registries" => registries: Vec<SyncRegistry> = Vec::new();
    }
}

impl Sync {
    pub(super) fn check(&self, remote_storage: bool, http: &Http, path: &KeyPath, report: &Report) {
        if self.enable && remote_storage && self.download_dir.is_none() {
            let message = "using both sync and remote storage features needs config.Extensions.Sync.DownloadDir to be specified";
            report.problem(&path.key("downloadDir"), message);
        }
        for (index, registry) in self.registries.iter().enumerate() {
            let path = path.key("registries").index(index);
            registry.check(&path, report);
            if registry.preserve_digest && http.compat.is_empty() {
                report.problem(&path.key("preserveDigest"), "needs `http.compat`: other media types could not be kept as they are");
            }
        }
    }
}
