//! Which crate may see which: a new arrow is a changed line here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{assert_nothing, cargo};

/// Our crates, and exactly those of ours that each depends on.
const ARROWS: &[(&str, &[&str])] = &[
    ("zot", &["zot-cluster", "zot-config", "zot-gateway", "zot-node", "zot-process", "zot-proto", "zot-runtime"]),
    (
        "zot-gateway",
        &["zot-auth", "zot-cluster", "zot-config", "zot-contract", "zot-oci", "zot-process", "zot-proto", "zot-redis", "zot-runtime"],
    ),
    ("zot-auth", &["zot-config", "zot-contract", "zot-redis", "zot-runtime"]),
    (
        "zot-node",
        &[
            "zot-cluster",
            "zot-config",
            "zot-consensus",
            "zot-contract",
            "zot-dynamodb",
            "zot-oci",
            "zot-process",
            "zot-proto",
            "zot-redis",
            "zot-redis-sessions",
            "zot-runtime",
            "zot-s3",
            "zot-storage",
        ],
    ),
    ("zot-s3", &["zot-aws", "zot-config", "zot-contract", "zot-oci", "zot-storage"]),
    ("zot-dynamodb", &["zot-aws", "zot-config", "zot-oci", "zot-storage"]),
    ("zot-aws", &[]),
    ("zot-redis-sessions", &["zot-contract", "zot-redis", "zot-storage"]),
    ("zot-storage", &["zot-contract", "zot-oci"]),
    ("zot-proto", &["zot-cluster", "zot-contract", "zot-oci", "zot-runtime"]),
    ("zot-process", &["zot-config", "zot-runtime"]),
    ("zot-consensus", &["zot-cluster", "zot-runtime"]),
    ("zot-cluster", &["zot-oci"]),
    ("zot-redis", &["zot-config"]),
    ("zot-contract", &["zot-oci"]),
    ("zot-config", &[]),
    ("zot-runtime", &[]),
    ("zot-oci", &[]),
    // Tests see the binary from outside, as its users do.
    ("zot-tests", &["zot-services"]),
    ("zot-services", &[]),
    // All of it is a test: what it sees, it sees as a dependency of tests.
    ("zot-simulation", &[]),
];

/// Libraries that belong to one concern, and the crates that have it.
const KEPT_APART: &[(&str, &[&str])] = &[
    ("aws-sdk-dynamodb", &["zot-dynamodb"]),
    ("aws-sdk-s3", &["zot-s3"]),
    ("aws-sdk-secretsmanager", &["zot-auth"]),
    ("consistent_hash", &["zot-cluster"]),
    ("fearless_simd", &["zot-oci"]),
    ("openraft", &["zot-consensus"]),
    ("redis", &["zot-redis"]),
    ("axum", &["zot-gateway"]),
    ("clap", &["zot", "zot-gateway", "zot-node", "zot-process", "zot-tests"]),
    ("hyper", &["zot-gateway", "zot-s3", "zot-tests"]),
    ("hyper-util", &["zot-gateway", "zot-proto", "zot-s3", "zot-tests"]),
    ("indicatif", &["zot"]),
    ("redb", &["zot-consensus", "zot-storage"]),
    ("serde-saphyr", &["zot-config"]),
    ("tonic", &["zot-proto"]),
    ("tracing-subscriber", &["zot-runtime"]),
    ("anyhow", &["zot", "zot-gateway", "zot-node", "zot-process", "zot-tests"]),
];

/// What must not be built, by the start of `name vVERSION`: other TLS stacks, and old majors of what everything shares.
const BANNED: [&str; 9] =
    ["openssl ", "openssl-sys ", "native-tls ", "ring ", "hyper v0.14", "http v0.2", "rustls v0.21", "rustls v0.22", "tokio v0."];

/// Libraries of which two versions would be two of everything: types that do not fit, pools that are not shared.
const SINGLE: [&str; 9] = ["aws-lc-rs", "bytes", "h2", "http", "hyper", "rustls", "serde_json", "tokio", "tracing"];

/// The direct dependencies of each of our crates that its library or binary is built with.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--offline", "--format-version=1"])).unwrap();
    let mut all = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let dependencies = package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null());
        let names = dependencies.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect();
        all.insert(package["name"].as_str().unwrap().to_owned(), names);
    }
    all
}

/// Everything that is built for the workspace, tests included, as `name vVERSION`.
fn built() -> BTreeSet<String> {
    let tree = cargo(&["tree", "--workspace", "--offline", "--locked", "--prefix=none", "--format={p}", "--edges=normal,build,dev"]);
    let name_and_version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    tree.lines().map(name_and_version).collect()
}

#[test]
fn arrows_between_our_crates_are_those_of_the_table() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let dependencies = dependencies();
    assert_eq!(dependencies.keys().map(String::as_str).collect::<BTreeSet<_>>(), ours, "the table must name every crate");
    let mut wrong = Vec::new();
    for &(name, expected) in ARROWS {
        let found: Vec<&str> = dependencies[name].iter().map(String::as_str).filter(|name| ours.contains(name)).collect();
        if found != expected {
            wrong.push(format!("{name} → {found:?}, the table says {expected:?}"));
        }
    }
    assert_nothing("arrows", &wrong);
}

#[test]
fn each_concern_has_its_libraries_to_itself() {
    let mut wrong = Vec::new();
    for &(library, allowed) in KEPT_APART {
        for (name, dependencies) in dependencies() {
            if dependencies.contains(library) && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{name} → {library}, which only {allowed:?} may use"));
            }
        }
    }
    assert_nothing("libraries kept apart", &wrong);
}

#[test]
fn nothing_banned_is_built() {
    let built = built();
    let banned = |package: &&String| BANNED.iter().any(|start| format!("{package} ").starts_with(start));
    let wrong: Vec<String> = built.iter().filter(banned).cloned().collect();
    assert_nothing("banned packages", &wrong);
}

#[test]
fn what_everything_shares_is_built_in_one_version() {
    let built = built();
    let versions = |name: &str| built.iter().filter(|package| package.split(' ').next() == Some(name)).count();
    let wrong: Vec<String> = SINGLE.into_iter().filter(|name| versions(name) > 1).map(str::to_owned).collect();
    assert_nothing("packages of several versions", &wrong);
}
