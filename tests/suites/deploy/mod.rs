//! That what is shipped for deploying fits together, and that the programs that will read it can.

mod compose;
mod haproxy;
mod image;
mod kubernetes;
mod systemd;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use zot_tests::skip::{find_program, skip};

/// Where a file of `deploy/` is.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

/// What a file of `deploy/` says.
fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A configuration of `deploy/`.
fn config(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

/// The documents of a YAML text.
fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

/// The strings of a list.
fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// Where `program` is, or nothing after saying that `test` is skipped.
fn find(program: &str, test: &str) -> Option<PathBuf> {
    let found = find_program(program).or_else(|| Some(Path::new("/usr/sbin").join(program)).filter(|path| path.is_file()));
    if found.is_none() {
        skip(&format!("deploy::{test}"), &format!("{program} is not installed"));
    }
    found
}

/// What a command printed; it must succeed.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
