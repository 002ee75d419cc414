//! The Dockerfile, as far as it can be checked without a network. `tests/suites/clients/compose` builds its second half.

use std::{collections::BTreeSet, fs};

use super::{path, text};

#[test]
fn what_is_sent_to_the_builder_holds_every_crate_and_nothing_else() {
    let ignored = fs::read_to_string(path("../.dockerignore")).unwrap();
    let sent: BTreeSet<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let manifest = fs::read_to_string(path("../Cargo.toml")).unwrap();
    let members = manifest.split_once("members = [").unwrap().1.split(']').next().unwrap();
    let folders = members.split('"').skip(1).step_by(2).map(|member| member.split('/').next().unwrap()).filter(|folder| *folder != ".");
    let needed: BTreeSet<&str> = folders.chain(["Cargo.toml", "Cargo.lock", "src"]).collect();
    assert_eq!(sent, needed);
}

#[test]
fn it_builds_with_the_compiler_that_the_workspace_asks_for() {
    let manifest = fs::read_to_string(path("../Cargo.toml")).unwrap();
    let version = manifest.split_once("rust-version = \"").unwrap().1.split('"').next().unwrap();
    assert!(text("Dockerfile").contains(&format!("FROM rust:{version}-bookworm AS builder")));
}

#[test]
fn nothing_runs_as_root_and_old_builders_understand_it() {
    let dockerfile = text("Dockerfile");
    let user = dockerfile.lines().find_map(|line| line.strip_prefix("USER ")).unwrap();
    // A number, so that Kubernetes can tell that it is not root.
    assert!(user.split(':').all(|id| id.parse::<u32>().unwrap() > 0), "{user}");
    for newer in ["--mount", "--chmod", "--link", "<<"] {
        assert!(!dockerfile.contains(newer), "{newer}");
    }
    let version = env!("CARGO_PKG_VERSION");
    assert!(dockerfile.contains(&format!("ARG VERSION={version}")));
}
