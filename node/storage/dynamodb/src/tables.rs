//! The names of the tables, as the configuration gives them.

use std::{collections::BTreeSet, fmt};

use zot_config::storage::DynamoDb;
use zot_storage::{Error, Result};

use crate::place::Table;

/// The names of the tables. Several may be the same.
#[derive(Debug)]
pub(crate) struct Tables {
    blobs: String,
    repositories: String,
    manifests: String,
    repository_blobs: String,
    users: String,
    version: String,
}

impl Tables {
    /// The names that a configuration gives.
    pub(crate) fn of(config: &DynamoDb) -> Result<Self> {
        let missing = config.tables_missing();
        if !missing.is_empty() {
            let reason = format!("the configuration names no table for: {}", missing.join(", "));
            return Err(Error::remote("open the tables of DynamoDB", reason));
        }
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let repositories = name(&config.repository_table);
        let repository_blobs = config.repository_blobs_table.clone().filter(|name| !name.is_empty());
        Ok(Self {
            blobs: name(&config.cache_table),
            manifests: name(&config.manifest_table),
            repository_blobs: repository_blobs.unwrap_or_else(|| repositories.clone()),
            users: config.user_table.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| repositories.clone()),
            version: name(&config.version_table),
            repositories,
        })
    }

    pub(crate) fn name(&self, table: Table) -> &str {
        match table {
            Table::Blobs => &self.blobs,
            Table::Repositories => &self.repositories,
            Table::Manifests => &self.manifests,
            Table::RepositoryBlobs => &self.repository_blobs,
            Table::Users => &self.users,
            Table::Version => &self.version,
        }
    }

    /// Every name, once.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        Table::ALL.into_iter().map(|table| self.name(table)).collect()
    }
}

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { blobs, repositories, manifests, repository_blobs, users: _, version: _ } = self;
        write!(f, "`{blobs}`, `{repositories}`, `{manifests}`, `{repository_blobs}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> DynamoDb {
        let name = |name: &str| Some(name.to_owned());
        DynamoDb {
            cache_table: name("a"),
            repository_table: name("b"),
            manifest_table: name("c"),
            version_table: name("d"),
            ..DynamoDb::default()
        }
    }

    #[test]
    fn a_table_that_an_older_layout_did_not_have_is_that_of_the_repositories() {
        let tables = Tables::of(&config()).unwrap();
        assert_eq!(tables.name(Table::RepositoryBlobs), "b");
        assert_eq!(tables.names(), BTreeSet::from(["a", "b", "c", "d"]));
        let tables = Tables::of(&DynamoDb { repository_blobs_table: Some("e".to_owned()), ..config() }).unwrap();
        assert_eq!(tables.name(Table::RepositoryBlobs), "e");
        assert_eq!(tables.name(Table::Users), "b");
        let tables = Tables::of(&DynamoDb { user_table: Some("f".to_owned()), ..config() }).unwrap();
        assert_eq!(tables.name(Table::Users), "f");
    }

    #[test]
    fn every_missing_name_is_told() {
        let error = Tables::of(&DynamoDb { version_table: None, cache_table: Some(String::new()), ..config() }).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.ends_with("names no table for: cacheTablename, versionTablename"), "{source}");
    }
}
