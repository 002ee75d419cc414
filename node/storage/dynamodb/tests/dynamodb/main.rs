//! The tables against Amazon's own local DynamoDB: what they promise, and what becomes of it when calls fail.

#![cfg(test)]

mod contract;
mod faults;
mod model;
mod proxy;
mod rows;
mod tables;

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Mutex;
use zot_config::storage::DynamoDb as Config;
use zot_dynamodb::{DynamoMetadata, Keys, Options};
use zot_services::DynamoDb;
use zot_storage::metadata::{Expect, Key, Metadata, Outcome, Transaction};

/// The server of all tests that leave it alone, for as long as any of them runs.
static SERVER: Mutex<Weak<DynamoDb>> = Mutex::const_new(Weak::new());

/// The shared server, or nothing after saying that `test` is skipped.
async fn server(test: &str) -> Option<Arc<DynamoDb>> {
    available(test)?;
    let mut running = SERVER.lock().await;
    if let Some(server) = running.upgrade() {
        return Some(server);
    }
    let server = Arc::new(DynamoDb::start().await);
    *running = Arc::downgrade(&server);
    Some(server)
}

/// Nothing, after saying that `test` is skipped, where no server can be started.
fn available(test: &str) -> Option<()> {
    match DynamoDb::available() {
        Ok(()) => Some(()),
        Err(reason) => {
            zot_services::skip::skip(test, &reason);
            None
        }
    }
}

/// Tables of a test's own, each with a name of its own.
fn tables(endpoint: &str) -> Config {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = |table: &str| Some(format!("test{number}.{table}"));
    Config {
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        cache_table: name("blobs"),
        repository_table: name("repositories"),
        manifest_table: name("manifests"),
        repository_blobs_table: name("links"),
        user_table: name("users"),
        version_table: name("version"),
        ..Config::default()
    }
}

/// One table for everything: cheaper to create.
fn one_table(endpoint: &str) -> Config {
    let Config { cache_table: name, .. } = tables(endpoint);
    let of = |name: &Option<String>| name.clone();
    Config {
        repository_table: of(&name),
        manifest_table: of(&name),
        repository_blobs_table: of(&name),
        user_table: of(&name),
        version_table: of(&name),
        cache_table: name,
        ..tables(endpoint)
    }
}

/// Options under which only a call that is never answered is tried again, however slow this machine is.
fn options() -> Options {
    Options { keys: Some(Keys::new("id", "secret")), attempt_timeout: Duration::from_secs(30), ..Options::default() }
}

async fn open(config: &Config) -> DynamoMetadata {
    DynamoMetadata::open(config, options()).await.unwrap()
}

fn tag(repository: &str, tag: &str) -> Key {
    Key::Tag(repository.parse().unwrap(), tag.parse().unwrap())
}

async fn put(store: &dyn Metadata, key: Key, expect: Expect, value: impl Into<bytes::Bytes>) -> zot_storage::Result<Outcome> {
    let mut transaction = Transaction::new();
    transaction.put(key, expect, value);
    store.commit(transaction).await
}

async fn version(store: &dyn Metadata, key: &Key) -> u64 {
    store.get(key).await.unwrap().unwrap().version
}

/// An error with everything that caused it.
fn told(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {}", told(source)));
    format!("{error}{}", source.unwrap_or_default())
}
