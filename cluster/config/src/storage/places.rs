//! Remote stores that are not one must not share bytes in a bucket or rows in a table.

use serde_json::Value;

use super::{CacheDriver, DynamoDb, S3, Storage, StorageDriver, Store};
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::show;

/// Reports, at the later one, every store that is in the way of an earlier one. Stores with the same settings are one store.
pub(super) fn check(storage: &Storage, report: &Report) {
    let stores: Vec<(KeyPath, &Store)> = storage.stores().collect();
    for (index, (path, store)) in stores.iter().enumerate() {
        let mut others = stores[..index].iter().filter(|(_, earlier)| earlier != store);
        let conflict = others.find_map(|(at, earlier)| shared_bytes(at, earlier, store).or_else(|| shared_rows(at, earlier, store)));
        if let Some((key, message)) = conflict {
            report.problem(&path.key(key), message);
        }
    }
}

/// A key of the later store, and what is wrong with it.
type Conflict = (&'static str, String);

fn shared_bytes(at: &KeyPath, earlier: &Store, store: &Store) -> Option<Conflict> {
    let (one, other) = (bucket(earlier)?, bucket(store)?);
    let (one_place, other_place) = (one.place(), other.place());
    if one_place == other_place {
        let differ = differing(earlier, store);
        let message = format!(
            "{other_place} is also where `{at}` is, with other settings ({differ}): choose another `rootdirectory`, or the same settings"
        );
        return Some(("storageDriver", message));
    }
    let (one_root, other_root) = (components(one), components(other));
    let is_nested = one_root.starts_with(&other_root) || other_root.starts_with(&one_root);
    (is_nested && one.bucket == other.bucket && one.region_endpoint == other.region_endpoint).then(|| {
        let message = format!("{other_place} and {one_place}, where `{at}` is, lie inside each other: choose another `rootdirectory`");
        ("storageDriver", message)
    })
}

fn shared_rows(at: &KeyPath, earlier: &Store, store: &Store) -> Option<Conflict> {
    let (one, other) = (tables(earlier)?, tables(store)?);
    let is_same = |one: &Option<String>, other: &Option<String>| one.is_none() || other.is_none() || one == other;
    if one.endpoint != other.endpoint || !is_same(&one.region, &other.region) {
        return None;
    }
    let (one, other) = (one.content_tables(), other.content_tables());
    let shared: Vec<&str> = one.intersection(&other).copied().collect();
    (!shared.is_empty()).then(|| {
        let shared = shared.join(", ");
        let message =
            format!("`{at}` keeps its rows in {shared} too, and both would take them for their own: name tables for this store alone");
        ("cacheDriver", message)
    })
}

fn bucket(store: &Store) -> Option<&S3> {
    match &store.storage_driver {
        Some(StorageDriver::S3(s3)) => Some(s3),
        _ => None,
    }
}

fn tables(store: &Store) -> Option<&DynamoDb> {
    match &store.cache_driver {
        Some(CacheDriver::DynamoDb(tables)) if store.uses_remote_cache() => Some(tables),
        _ => None,
    }
}

fn components(s3: &S3) -> Vec<&str> {
    s3.root_directory.split('/').filter(|component| !component.is_empty()).collect()
}

/// The keys whose values differ, as far as they are shown: secrets are not.
fn differing(one: &Store, other: &Store) -> String {
    let (one, other) = (show(one), show(other));
    let (Value::Object(one), Value::Object(other)) = (&one, &other) else { return String::new() };
    let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
    let differ: Vec<&str> = keys.filter(|key| one.get(*key) != other.get(*key)).map(String::as_str).collect();
    if differ.is_empty() { "secrets".to_owned() } else { differ.join(", ") }
}
