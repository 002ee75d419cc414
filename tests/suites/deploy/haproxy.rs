//! The load balancer's files, read by the load balancer; the certificates for trying out, read by those who check certificates.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{config, find, path, run, strings, text};

fn certificates(test: &str) -> Option<TempDir> {
    find("openssl", test)?;
    let directory = TempDir::new().unwrap();
    run(Command::new(path("certificates.sh")).arg(directory.path()));
    Some(directory)
}

#[test]
fn haproxy_takes_every_file() {
    const TEST: &str = "haproxy::haproxy_takes_every_file";
    let Some(haproxy) = find("haproxy", TEST) else { return };
    let Some(certificates) = certificates(TEST) else { return };
    let ours = ["haproxy.cfg", "haproxy.tls.cfg", "haproxy.passthrough.cfg"].map(path);
    let examples = ["cluster", "scale-out-cluster-cloud", "scale-out-cluster-local"];
    let examples = examples.map(|folder| path("../examples").join(folder).join("haproxy.cfg"));
    for file in ours.iter().chain(&examples) {
        run(Command::new(&haproxy).arg("-c").arg("-f").arg(at_hand(file, &certificates)));
    }
}

/// The same file with the certificates that are at hand here.
fn at_hand(file: &Path, certificates: &TempDir) -> PathBuf {
    let directory = format!("{}/", certificates.path().display());
    let copy = certificates.path().join("haproxy.cfg");
    fs::write(&copy, fs::read_to_string(file).unwrap().replace("/etc/haproxy/", &directory)).unwrap();
    copy
}

#[test]
fn certificates_for_trying_out_are_taken_for_what_they_are_for_and_nothing_else() {
    const TEST: &str = "haproxy::certificates_for_trying_out_are_taken_for_what_they_are_for_and_nothing_else";
    let Some(directory) = certificates(TEST) else { return };
    let verifies = |authority: &str, purpose: &str, certificate: &str| {
        let mut command = Command::new("openssl");
        command.current_dir(&directory).args(["verify", "-purpose", purpose, "-CAfile", authority, certificate]);
        command.output().unwrap().status.success()
    };
    assert!(verifies("ca.pem", "sslserver", "server.pem"));
    assert!(verifies("members-ca.pem", "sslserver", "member.pem") && verifies("members-ca.pem", "sslclient", "member.pem"));
    assert!(!verifies("members-ca.pem", "sslserver", "server.pem"), "who serves clients is no member for it");
    assert!(!verifies("ca.pem", "sslclient", "server.pem"));
    let shown =
        run(Command::new("openssl").current_dir(&directory).args(["x509", "-noout", "-ext", "subjectAltName", "-in", "member.pem"]));
    for node in strings(&config("config.tls.json")["cluster"]["nodes"]) {
        let host = node.split(':').next().unwrap();
        assert!(shown.contains(&format!("DNS:{host}")), "{host}: {shown}");
    }
}

#[test]
fn certificates_that_are_there_stay() {
    let Some(directory) = certificates("haproxy::certificates_that_are_there_stay") else { return };
    let all = || ["ca.pem", "server.key", "member.pem"].map(|name| fs::read(directory.path().join(name)).unwrap());
    let before = all();
    run(Command::new(path("certificates.sh")).arg(directory.path()));
    assert!(all() == before);
}

#[test]
fn every_file_that_the_configuration_names_is_made() {
    let Some(directory) = certificates("haproxy::every_file_that_the_configuration_names_is_made") else { return };
    let named = text("config.tls.json");
    let named: Vec<&str> = named.split('"').filter_map(|text| text.strip_prefix("/etc/zot/certificates/")).collect();
    assert_eq!(named.len(), 5);
    for name in named {
        assert!(directory.path().join(name).is_file(), "{name}");
    }
}
