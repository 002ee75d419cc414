//! `storage.storageDriver`: the object store that content is kept in.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::S3;
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::secret::Secret;
use crate::setting::section::{Keys, Section, section};
use crate::setting::{Found, Setting};

/// The object store that content is kept in.
#[derive(Clone, Debug, PartialEq)]
pub enum StorageDriver {
    /// Amazon S3, or what speaks its protocol.
    S3(Box<S3>),
    /// Google Cloud Storage.
    Gcs(Gcs),
    /// Azure Blob Storage.
    Azure(Azure),
}

section! {
    /// A bucket of Google Cloud Storage.
    pub struct Gcs {
        /// What every key begins with.
        "rootdirectory" => root_directory: String = String::new();
        /// Name of the bucket.
        "bucket" => bucket: String = String::new();
        /// File with the service account's key; the environment's credentials if absent.
        "credentialsFile" or "keyfile" => credentials_file: Option<PathBuf> = None;
        /// Size of the parts of an upload, in bytes.
        "chunksize" => chunk_size: Option<u64> = None;
    }
}

section! {
    /// A container of Azure Blob Storage.
    pub struct Azure {
        /// What every key begins with.
        "rootdirectory" => root_directory: String = String::new();
        /// Name of the account.
        "accountname" => account_name: String = String::new();
        /// Key of the account, where it stands outside `credentials`.
        "accountkey" => account_key: Option<Secret> = None;
        /// Name of the container.
        "container" => container: String = String::new();
        /// How the client proves itself.
        "credentials" => credentials: Option<AzureCredentials> = None;
        /// Domain of the service, where it is not the public one.
        "realm" => realm: Option<String> = None;
        /// URL of the service, where it is not the public one.
        "serviceurl" => service_url: Option<String> = None;
    }
}

section! {
    /// How a client of Azure proves itself.
    pub struct AzureCredentials {
        /// `shared_key`, `client_secret` or `default_credentials`.
        "type" => kind: String = "default_credentials".to_owned();
        /// Key of the account.
        "accountkey" => account_key: Option<Secret> = None;
        /// Tenant of the client.
        "tenantid" => tenant_id: Option<String> = None;
        /// Client that logs in.
        "clientid" => client_id: Option<String> = None;
        /// Secret of the client.
        "secret" => secret: Option<Secret> = None;
    }
}

impl StorageDriver {
    /// The name that chooses this driver.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::S3(_) => "s3",
            Self::Gcs(_) => "gcs",
            Self::Azure(_) => "azure",
        }
    }

    /// Fills in the defaults that depend on other keys.
    pub(super) fn settle(&mut self, path: &KeyPath, report: &Report) {
        match self {
            Self::S3(s3) => s3.settle(path, report),
            // An object's key cannot be empty, so that these two services need something to begin with.
            Self::Gcs(Gcs { root_directory, .. }) | Self::Azure(Azure { root_directory, .. }) => {
                if matches!(root_directory.as_str(), "" | "/") {
                    "/zot".clone_into(root_directory);
                }
            }
        }
    }

    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        let needed: &[(&str, &String)] = match self {
            Self::S3(s3) => &[("bucket", &s3.bucket)],
            Self::Gcs(gcs) => &[("bucket", &gcs.bucket)],
            Self::Azure(azure) => &[("accountname", &azure.account_name), ("container", &azure.container)],
        };
        for (key, _) in needed.iter().filter(|(_, value)| value.is_empty()) {
            report.problem(&path.key(key), format!("must be set for the storage driver `{}`", self.name()));
        }
        if let Self::S3(s3) = self {
            s3.check(path, report);
        }
    }
}

impl Setting for StorageDriver {
    fn read(found: &Found<'_>) -> Option<Self> {
        let mut section = Section::open(found)?;
        let name: String = section.take(&["name"], String::new());
        let driver = match name.as_str() {
            "s3" => Self::S3(Box::new(S3::take(&mut section, S3::default()))),
            "gcs" => Self::Gcs(Gcs::take(&mut section, Gcs::default())),
            "azure" => Self::Azure(Azure::take(&mut section, Azure::default())),
            _ => {
                let message = format!("unsupported storage driver {name:?}, supported are: s3, gcs, azure");
                found.report.unreadable(&found.path.key("name"), message);
                return None;
            }
        };
        section.finish_leniently();
        Some(driver)
    }

    fn show(&self) -> Value {
        let mut shown = Map::from_iter([("name".to_owned(), Value::from(self.name()))]);
        match self {
            Self::S3(s3) => s3.show_into(&mut shown),
            Self::Gcs(gcs) => gcs.show_into(&mut shown),
            Self::Azure(azure) => azure.show_into(&mut shown),
        }
        Value::Object(shown)
    }
}
