//! Formats, case of keys, lenient types, defaults, and the ways they fail.

use std::path::{Path, PathBuf};
use std::time::Duration;

use zot_config::log::Level;
use zot_config::{Config, ConfigError, Timeout};

use crate::{good, http, problems, storage};

fn parse(name: &str, text: &str) -> Result<Config, String> {
    Config::parse(Path::new(name), text).map(|loaded| loaded.config).map_err(|error| error.to_string())
}

#[test]
fn the_same_is_read_from_every_format_and_without_an_extension() {
    let json = r#"{"storage": {"rootDirectory": "/data", "gc": false}, "http": {"port": "5000"}}"#;
    let yaml = "storage:\n  rootDirectory: /data\n  gc: false\nhttp:\n  port: '5000'\n";
    let toml = "[storage]\nrootDirectory = '/data'\ngc = false\n[http]\nport = '5000'\n";
    let expected = good(json).config;
    for (name, text) in [("a.json", json), ("a.yaml", yaml), ("a.yml", yaml), ("a.TOML", toml)] {
        assert_eq!(parse(name, text).as_ref(), Ok(&expected), "{name}");
        assert_eq!(parse("config", text).as_ref(), Ok(&expected), "{name} without its extension");
        assert_eq!(parse(".zot-test", text).as_ref(), Ok(&expected), "{name} in a dot-file");
    }
}

#[test]
fn keys_are_found_whatever_their_case() {
    let loaded =
        good(r#"{"STORAGE": {"rootdirectory": "/data", "GC": false, "GcDelay": "2h"}, "http": {"ExternalURL": "https://r.example/"}}"#);
    assert_eq!(loaded.config.storage.default.root_directory, PathBuf::from("/data"));
    assert_eq!(loaded.config.storage.default.gc_delay, Duration::from_secs(7200));
    assert_eq!(loaded.config.http.external_url, "https://r.example");
}

#[test]
fn the_names_that_users_choose_keep_their_case() {
    let loaded = good(&storage(r#""subPaths": {"/Team": {"rootDirectory": "/tmp/team"}}"#));
    assert_eq!(loaded.config.storage.sub_paths.keys().collect::<Vec<_>>(), ["/Team"]);
}

#[test]
fn types_are_converted_where_the_meaning_is_plain() {
    let loaded = good(
        r#"{"storage": {"rootDirectory": "/d", "gc": "false", "dedupe": 0, "gcInterval": 90000000000},
            "http": {"port": 5000, "compat": "docker2s2", "readTimeout": "1m30s", "writeTimeout": -1}}"#,
    );
    let Config { storage, http, .. } = loaded.config;
    assert!(!storage.default.gc && !storage.default.dedupe);
    assert_eq!(storage.default.gc_interval, Duration::from_secs(90));
    assert_eq!(http.port, 5000);
    assert!(http.accepts_docker_schema_2());
    assert_eq!(http.read_timeout, Timeout::after(Duration::from_secs(90)));
    assert_eq!(http.write_timeout, Timeout::NEVER);
}

#[test]
fn an_empty_section_is_there_with_its_defaults_and_null_is_not() {
    let loaded = good(r#"{"storage": {"rootDirectory": "/d", "gc": false, "retention": {}}, "http": {}, "log": null, "extensions": {}}"#);
    let expected = Config::default_for(PathBuf::from("/d"));
    assert_eq!(loaded.config.http, expected.http);
    assert_eq!(loaded.config.log, expected.log);
    assert!(good(&http(r#"{"tls": null}"#)).config.http.tls.is_none());
    assert_eq!(problems(&http(r#"{"tls": {}}"#)).len(), 2, "cert and key are missing");
}

#[test]
fn a_config_without_a_single_value_is_refused() {
    for text in ["{}", r#"{"log": {}}"#, r#"{"http": {"auth": {}}, "log": null}"#] {
        assert!(problems(text)[0].contains("absence of any key:value pair"), "{text}");
    }
    assert!(parse("config.yaml", "").unwrap_err().contains("absence of any key:value pair"));
}

#[test]
fn defaults_are_durable_and_local() {
    let config = good(r#"{"storage": {"rootDirectory": "/d"}}"#).config;
    assert_eq!(config, Config::default_for(PathBuf::from("/d")));
    assert!(config.storage.default.commit && config.storage.default.dedupe && config.storage.default.gc);
    assert_eq!(config.http.listen_address(), "127.0.0.1:8080");
    assert_eq!(config.log.level, Level::Debug);
    assert_eq!(config.http.limits.manifest_bytes_max, 4 * 1024 * 1024);
    assert_eq!(config.storage.all.upload_expiry, Duration::from_secs(86_400));
}

#[test]
fn stores_beside_the_default_one_share_nothing_unless_they_say_so() {
    let config =
        good(&storage(r#""subPaths": {"/a": {"rootDirectory": "/tmp/a"}, "/b": {"rootDirectory": "/tmp/b", "dedupe": true}}"#)).config;
    let [a, b] = ["/a", "/b"].map(|route| &config.storage.sub_paths[route]);
    assert!(!a.dedupe && !a.gc && a.commit);
    assert!(b.dedupe && !b.gc);
}

#[test]
fn all_problems_are_told_at_once_each_with_its_path() {
    let text = r#"{"storage": {"rootDirectory": "/d", "gcDlay": "1h", "gcInterval": "5 minutes"},
                   "http": {"url": "x", "port": "65536", "tls": {"cert": "/c"}}, "log": {"level": "invalid"}}"#;
    let said = parse("config.json", text).unwrap_err();
    let expected = "config.json: 6 problems\n  \
        storage.gcInterval: expected a duration such as `300ms`, `30s` or `1h30m`, found the string \"5 minutes\"\n  \
        storage.gcDlay: unknown key, did you mean `gcDelay`?\n  \
        http.port: invalid port 65536: expected a port from 0 to 65535\n  \
        http.url: unknown key\n  \
        log.level: invalid log level 'invalid', supported levels are: debug, trace, info, warn, warning, error, fatal, panic\n  \
        http.tls.key: TLS needs both `cert` and `key`, set it beside `cert` or remove the section";
    assert_eq!(said, expected);
}

#[test]
fn one_problem_is_not_called_problems() {
    assert!(parse("c.json", &http(r#"{"port": "-1"}"#)).unwrap_err().starts_with("c.json: 1 problem\n  http.port: invalid port -1"));
}

#[test]
fn a_value_that_cannot_be_read_is_reported_once() {
    assert_eq!(problems(r#"{"storage": {"rootDirectory": ["/a"]}}"#), ["storage.rootDirectory: expected a string, found a list of 1"]);
}

#[test]
fn bad_elements_are_named_by_their_place() {
    let said = problems(&http(r#"{"ratelimit": {"methods": [{"method": "GET", "rate": 1}, {"method": "PUT", "rate": "x"}]}}"#));
    assert_eq!(said[0], "http.ratelimit.methods[1].rate: expected a whole number, not negative, found the string \"x\"");
    let said = problems(&storage(r#""subPaths": {"/a": {"rootDirectory": "/tmp/a", "commit": "perhaps"}}"#));
    assert_eq!(said, ["storage.subPaths[\"/a\"].commit: expected `true` or `false`, found the string \"perhaps\""]);
}

#[test]
fn keys_that_differ_only_in_case_are_refused() {
    let said = problems(&http(r#"{"port": 1, "Port": 2}"#));
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("the same key as"), "{said:?}");
}

#[test]
fn a_syntax_error_is_told_with_its_line_and_column() {
    let at = |name: &str, text: &str| match Config::parse(Path::new(name), text) {
        Err(ConfigError::Syntax { position, .. }) => position.map(|(line, _)| line),
        other => panic!("{other:?}"),
    };
    assert_eq!(at("a.json", "{\n  \"http\": {,}\n}"), Some(2));
    assert_eq!(at("a.json", "{\n\"http\": {},\n\"http\": {}}"), Some(3), "a key that is there twice");
    assert!(at("a.yaml", "http:\n  port: [1\nlog: {}\n").is_some());
    assert_eq!(at("a.toml", "[http]\nport = \n"), Some(2));
    assert_eq!(at("noext", "{\n  \"http\": {,}\n}"), Some(2));
    let said = parse("a.yaml", "http: {}\nhttp: {}\n").unwrap_err();
    assert_eq!(said, "a.yaml:2:1: duplicate mapping key `http` is not allowed here");
    let said = parse("/etc/zot/config.json", "{\n  \"http\": {,}\n}").unwrap_err();
    assert_eq!(said, "/etc/zot/config.json:2:12: key must be a string");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert!(parse("a.json", "\u{feff}{\"storage\": {\"rootDirectory\": \"/d\"}}").is_ok());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nonexistent/zot.json")).unwrap_err();
    assert_eq!(error.to_string(), "read configuration file `/nonexistent/zot.json`");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn what_a_running_registry_dumps_can_be_loaded() {
    let mut text = String::from(r#"{"goVersion": "go1", "commit": "v2", "releaseTag": "v2", "binaryType": "", "#);
    text.push_str(r#""distSpecVersion": "1.1.0", "storage": {"rootDirectory": "/d", "gc": false}}"#);
    let loaded = good(&text);
    assert_eq!(loaded.warnings.len(), 1, "the version only: {:?}", loaded.warnings);
    let shown = serde_json::to_string(&loaded.config).unwrap();
    assert_eq!(good(&shown).config, loaded.config);
}
