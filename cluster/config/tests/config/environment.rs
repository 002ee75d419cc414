//! What this machine must have for a configuration to be used.

use std::fs;
use std::path::Path;

use zot_config::cluster::Cluster;
use zot_config::http::Tls;
use zot_config::http::auth::SessionDriver;
use zot_config::redis::Redis;
use zot_config::storage::BlobCache;
use zot_config::{Config, Part, Secret};

fn problems(config: &Config) -> Vec<String> {
    config.check_environment(Part::AllInOne).iter().map(ToString::to_string).collect()
}

/// All defaults below `room`, on a port of the system's choice.
fn config(room: &Path) -> Config {
    let mut config = Config::default_for(room.join("registry"));
    config.http.port = 0;
    config
}

#[test]
fn a_fresh_machine_has_all_that_the_defaults_need_and_nothing_is_left_on_it() {
    let room = tempfile::tempdir().unwrap();
    let mut config = config(room.path());
    config.log.output = Some(room.path().join("zot.log"));
    config.log.audit = Some(room.path().join("audit.log"));
    assert_eq!(problems(&config), Vec::<String>::new());
    assert_eq!(fs::read_dir(room.path()).unwrap().count(), 0);
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let room = tempfile::tempdir().unwrap();
    let mut config = config(room.path());
    let [cert, key] = ["cert", "key"].map(|name| room.path().join(name));
    fs::write(&cert, "certificate").unwrap();
    config.http.tls = Some(Tls { cert: cert.clone(), key: key.clone(), cacert: Some(room.path().to_owned()) });
    config.storage.default.root_directory = cert;
    config.log.output = Some(room.path().join("missing/zot.log"));
    config.http.address = "no-such-host.invalid".to_owned();
    let said = problems(&config);
    let expected = ["storage.rootDirectory: ", "log.output: ", "http.tls.key: ", "http.tls.cacert: ", "http.address: "];
    assert_eq!(said.len(), expected.len(), "{said:?}");
    for (problem, start) in said.iter().zip(expected) {
        assert!(problem.starts_with(start), "{said:?}");
    }
    assert_eq!(said[2], format!("http.tls.key: file `{}` cannot be read: no such file or directory", key.display()));
}

#[test]
fn each_part_heeds_what_concerns_it() {
    let room = tempfile::tempdir().unwrap();
    let mut config = config(room.path());
    config.http.address = "no-such-host.invalid".to_owned();
    let file = room.path().join("file");
    fs::write(&file, "").unwrap();
    config.storage.default.root_directory = file.clone();
    config.storage.all.blob_cache = Some(BlobCache { directory: file, ..BlobCache::default() });
    let said = |part| {
        let problems = config.check_environment(part);
        problems.iter().map(|problem| problem.path.to_string()).collect::<Vec<_>>()
    };
    let stored = ["storage.rootDirectory", "storage.blobCache.directory"];
    assert_eq!(said(Part::AllInOne), [stored[0], stored[1], "http.address"]);
    assert_eq!(said(Part::Gateway), ["http.address", "cluster"]);
    assert_eq!(said(Part::Node), [stored[0], stored[1], "cluster"]);
}

#[test]
fn authorities_of_redis_are_looked_for() {
    let room = tempfile::tempdir().unwrap();
    let mut config = config(room.path());
    let redis = |url: String| Redis { url: Some(Secret::new(url)), ..Redis::default() };
    let missing = room.path().join("missing.pem");
    let in_section = Redis { ca_certificates: Some(missing.clone()), ..redis("rediss://h".to_owned()) };
    config.http.auth.session_driver = Some(SessionDriver::Redis(Box::new(in_section)));
    let in_url = redis(format!("rediss://h?cacert={}", missing.display()));
    config.cluster = Some(Cluster { redis: Some(in_url), ..Cluster::default() });
    let said = problems(&config);
    let expected = ["http.auth.sessionDriver.cacert", "cluster.redis.cacert"];
    assert_eq!(said, expected.map(|key| format!("{key}: file `{}` cannot be read: no such file or directory", missing.display())));
    assert_eq!(config.check_environment(Part::Node).len(), 1, "nodes keep no sessions");
    fs::write(&missing, "").unwrap();
    assert_eq!(problems(&config), Vec::<String>::new());
}
