//! Every file that is shipped, as an example or to be deployed, can be used as it is.

use std::path::{Path, PathBuf};

use zot_config::{Config, http::auth::BindCredentials};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every configuration file below `folder`.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            found.extend(below(&path));
        } else if name.starts_with("config") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The warnings that shipped files may come with: of what is not built yet, of what a cluster of local disks or without Redis cannot do, and of secrets
/// that are none before they are replaced.
fn is_meant(path: &str, example: &Path) -> bool {
    let is_of = |folder: &str| example.to_string_lossy().contains(folder);
    match path {
        "cluster" => is_of("scale-out-cluster-local"),
        "cluster.redis" => is_of("scale-out-cluster-cloud"),
        "cluster.hashKey" => is_of("scale-out-cluster-"),
        "cluster.claimKey" => is_of("deploy"),
        other => other.ends_with("gc"),
    }
}

#[test]
fn every_shipped_file_loads_without_a_problem_or_a_surprising_warning() {
    for (folder, least) in [("examples", 20), ("deploy", 3)] {
        let shipped = below(&root().join(folder));
        assert!(shipped.len() >= least, "{shipped:?}");
        for file in shipped {
            let loaded = Config::load(&file).unwrap_or_else(|error| panic!("{error}"));
            let surprises: Vec<_> = loaded.warnings.iter().filter(|warning| !is_meant(warning.path.as_str(), &file)).collect();
            assert!(surprises.is_empty(), "{}: {surprises:?}", file.display());
        }
    }
}

#[test]
fn the_files_that_examples_name_hold_what_they_are_for() {
    let mut auth = Config::load(&root().join("examples/config-openid.json")).unwrap().config.http.auth;
    auth.session_keys_file = auth.session_keys_file.map(|file| root().join(file));
    assert!(auth.session_keys().unwrap().unwrap().signing_key().is_some());
    let providers = auth.openid.unwrap().providers;
    assert_eq!(providers.len(), 4);
    for (name, mut provider) in providers {
        provider.credentials_file = provider.credentials_file.map(|file| root().join(file));
        assert_eq!(provider.client().unwrap().id, "registry", "{name}");
    }
}

#[test]
fn the_same_example_in_json_and_yaml_says_the_same() {
    let folder = root().join("examples");
    let [json, yaml] = ["config-example.json", "config-example.yaml"].map(|name| Config::load(&folder.join(name)).unwrap());
    assert_eq!(json, yaml);
}

#[test]
fn what_is_deployed_with_tls_differs_in_tls_alone() {
    let folder = root().join("deploy");
    let [plain, mut tls] = ["config.json", "config.tls.json"].map(|name| Config::load(&folder.join(name)).unwrap().config);
    assert!(tls.http.tls.take().is_some(), "clients are served over TLS");
    tls.http.port = plain.http.port;
    tls.http.external_url.clone_from(&plain.http.external_url);
    if let Some(cluster) = &mut tls.cluster {
        assert!(cluster.tls.take().is_some(), "members prove themselves");
    }
    assert_eq!(tls, plain);
}

#[test]
fn the_members_of_one_cluster_differ_in_port_and_directory_alone() {
    for folder in ["scale-out-cluster-cloud", "scale-out-cluster-local"] {
        let mut members = below(&root().join("examples").join(folder)).into_iter().map(|file| {
            let mut config = Config::load(&file).unwrap().config;
            let port = std::mem::take(&mut config.http.port);
            let directory = std::mem::take(&mut config.storage.default.root_directory);
            (config, port, directory)
        });
        let (first, first_port, first_directory) = members.next().unwrap();
        for (config, port, directory) in members {
            assert_eq!(config, first);
            assert!(port != first_port && directory != first_directory);
        }
    }
}

#[test]
fn what_the_examples_name_beside_themselves_is_there() {
    let credentials = BindCredentials::load(&root().join("examples/ldap-credentials.json")).unwrap();
    assert_eq!(credentials.bind_dn.as_deref(), Some("cn=zot,dc=example,dc=org"));
    let named = Config::load(&root().join("examples/config-ldap.json")).unwrap().config.http.auth.ldap.unwrap().credentials_file.unwrap();
    assert_eq!(named.file_name().unwrap(), "ldap-credentials.json");
}
