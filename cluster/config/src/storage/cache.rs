//! `storage.cacheDriver`: where the records of a remote store are kept.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::key_path::KeyPath;
use crate::redis::Redis;
use crate::report::Report;
use crate::setting::section::{Keys, Section, section};
use crate::setting::{Found, Setting};

/// Where the records of a remote store are kept.
#[derive(Clone, Debug, PartialEq)]
pub enum CacheDriver {
    /// Tables of DynamoDB.
    DynamoDb(Box<DynamoDb>),
    /// Keys of Redis.
    Redis(Box<Redis>),
}

section! {
    /// Tables of DynamoDB, created when absent.
    pub struct DynamoDb {
        /// URL of the service; that of the region if absent.
        "endpoint" => endpoint: Option<String> = None;
        /// Region of the tables.
        "region" => region: Option<String> = None;
        /// Table of the blobs.
        "cacheTablename" => cache_table: Option<String> = None;
        /// Table of the repositories.
        "repoMetaTablename" => repository_table: Option<String> = None;
        /// Table of the manifests; an older layout had another name for it.
        "imageMetaTablename" or "manifestDataTablename" => manifest_table: Option<String> = None;
        /// Table of which blobs a repository has; that of the repositories if absent, for an older layout had none.
        "repoBlobsInfoTablename" => repository_blobs_table: Option<String> = None;
        /// Table of the users.
        "userDataTablename" => user_table: Option<String> = None;
        /// Table of the API keys.
        "apiKeyTablename" => api_key_table: Option<String> = None;
        /// Table of the layout's version.
        "versionTablename" => version_table: Option<String> = None;
    }
}

impl DynamoDb {
    /// The keys of the tables in which rows are kept that name none.
    #[must_use]
    pub fn tables_missing(&self) -> Vec<&'static str> {
        let tables = [
            ("cacheTablename", &self.cache_table),
            ("repoMetaTablename", &self.repository_table),
            ("imageMetaTablename", &self.manifest_table),
            ("versionTablename", &self.version_table),
        ];
        let is_missing = |name: &Option<String>| name.as_ref().is_none_or(String::is_empty);
        tables.into_iter().filter(|(_, name)| is_missing(name)).map(|(key, _)| key).collect()
    }

    /// The tables that hold rows of content; records of users are the default store's, whoever names their table.
    pub(super) fn content_tables(&self) -> BTreeSet<&str> {
        let tables = [&self.cache_table, &self.repository_table, &self.manifest_table, &self.repository_blobs_table, &self.version_table];
        tables.into_iter().flatten().map(String::as_str).filter(|name| !name.is_empty()).collect()
    }

    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        let missing = self.tables_missing();
        if !missing.is_empty() {
            report.problem(path, format!("names no table for: {}", missing.join(", ")));
        }
        if self.api_key_table.is_some() && self.user_table.is_none() {
            report.warning(&path.key("apiKeyTablename"), "has no effect: API keys are with users' records, in `userDataTablename`");
        }
    }
}

impl CacheDriver {
    /// The name that chooses this driver.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::DynamoDb(_) => "dynamodb",
            Self::Redis(_) => "redis",
        }
    }

    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        match self {
            Self::DynamoDb(_) => {}
            Self::Redis(redis) => redis.check(path, report),
        }
    }
}

impl Setting for CacheDriver {
    fn read(found: &Found<'_>) -> Option<Self> {
        let mut section = Section::open(found)?;
        let name: String = section.take(&["name"], String::new());
        let driver = match name.as_str() {
            "dynamodb" => Self::DynamoDb(Box::new(DynamoDb::take(&mut section, DynamoDb::default()))),
            "redis" => Self::Redis(Box::new(Redis::take(&mut section, Redis::default()))),
            _ => {
                let message = format!("unsupported database driver {name:?}, supported are: dynamodb, redis");
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
            Self::DynamoDb(tables) => tables.show_into(&mut shown),
            Self::Redis(redis) => redis.show_into(&mut shown),
        }
        Value::Object(shown)
    }
}
