//! Root directories of different stores must not be the same or lie inside each other.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::{Storage, Store};
use crate::key_path::KeyPath;
use crate::report::Report;

/// A store as it is spoken of in messages.
struct Named<'a> {
    path: KeyPath,
    name: String,
    store: &'a Store,
    beside_default: bool,
}

/// Reports every pair of stores whose root directories conflict, at the later one of the pair.
pub(super) fn check(storage: &Storage, report: &Report) {
    let stores = named(storage);
    for (index, later) in stores.iter().enumerate() {
        let conflict = stores[..index].iter().find_map(|earlier| conflict(earlier, later));
        if let Some(message) = conflict {
            report.problem(&later.path.key("rootDirectory"), message);
        }
    }
}

fn named(storage: &Storage) -> Vec<Named<'_>> {
    let routes = storage.sub_paths.keys().map(|route| format!("substore (route: {route})"));
    let names = std::iter::once("default storage".to_owned()).chain(routes);
    let stores = storage.stores().zip(names).enumerate();
    stores
        .map(|(index, ((path, store), name))| Named { path, name, store, beside_default: index > 0 })
        .filter(|named| !named.store.root_directory.as_os_str().is_empty())
        .collect()
}

fn conflict(one: &Named<'_>, other: &Named<'_>) -> Option<String> {
    if one.store.kind() != other.store.kind() {
        return None;
    }
    let (one_root, other_root) = (absolute(one.store), absolute(other.store));
    if folded(&one_root) == folded(&other_root) {
        let shared = one.beside_default && other.beside_default && one.store == other.store;
        return (!shared).then(|| format!("invalid storage config, {} and {} cannot use the same root directory", one.name, other.name));
    }
    let inside = |inner: &Named<'_>, outer: &Named<'_>| {
        Some(format!("invalid storage config, {} root directory cannot be inside {} root directory", inner.name, outer.name))
    };
    if other_root.starts_with(&one_root) {
        return inside(other, one);
    }
    if one_root.starts_with(&other_root) {
        return inside(one, other);
    }
    None
}

/// File systems that ignore case exist, so that names differing in case only may be one directory.
fn folded(path: &Path) -> OsString {
    path.as_os_str().to_ascii_lowercase()
}

/// The absolute path without `.` and `..`, found from the text alone.
fn absolute(store: &Store) -> PathBuf {
    let root = &store.root_directory;
    let absolute = std::path::absolute(root).unwrap_or_else(|_| root.clone());
    let mut clean = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}
