//! Files that nobody wrote in good faith, and secrets that must not get out.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use zot_config::storage::{CacheDriver, StorageDriver};
use zot_config::{Config, ConfigError, Format};

use crate::{good, http};

fn parse(name: &str, text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new(name), text).map(|loaded| loaded.config)
}

#[test]
fn deep_nesting_is_refused_in_every_format() {
    for depth in [100, 100_000] {
        let json = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let list = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let block: String = (0..depth.min(2_000)).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
        let toml = format!("a = {list}");
        for (name, text) in
            [("c.json", &json), ("c.yaml", &json), ("c.json", &list), ("c.yaml", &list), ("c.yaml", &block), ("c.toml", &toml)]
        {
            assert!(matches!(parse(name, text), Err(ConfigError::Syntax { .. })), "{name} at {depth}");
        }
    }
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = level - 1;
        let references = vec![format!("*a{below}"); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{references}]\n"));
    }
    assert!(matches!(parse("c.yaml", &text), Err(ConfigError::Syntax { .. })));
}

#[test]
fn a_long_text_cannot_be_multiplied() {
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(2 * 1024 * 1024), vec!["*a"; 40].join(", "));
    assert!(matches!(parse("c.yaml", &text), Err(ConfigError::Syntax { .. })));
}

#[test]
fn a_file_larger_than_any_configuration_is_refused() {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("config.json");
    std::fs::write(&file, " ".repeat(4 * 1024 * 1024 + 1)).unwrap();
    assert!(matches!(Config::load(&file), Err(ConfigError::Read { .. })));
    std::fs::write(&file, b"{\"http\": \"\xff\"}").unwrap();
    assert!(matches!(Config::load(&file), Err(ConfigError::Read { .. })));
}

#[test]
fn no_output_shows_a_secret_of_the_file() {
    let text = r#"{"storage": {"rootDirectory": "/d", "storageDriver": {"name": "s3", "bucket": "b", "accesskey": "SECRET1", "secretkey": "SECRET2"},
        "cacheDriver": {"name": "redis", "url": "redis://u:SECRET3@h", "password": "SECRET4"}},
        "http": {"auth": {"ldap": {"bindDN": "x", "bindPassword": "SECRET5"},
                 "openid": {"providers": {"oidc": {"clientid": "x", "clientsecret": "SECRET6"}}}}},
        "extensions": {"events": {"sinks": [{"headers": {"X": "SECRET7"}, "credentials": {"password": "SECRET8", "token": "SECRET9"}}]}},
        "cluster": {"members": "h", "hashKey": "SECRET0"}}"#;
    let Err(error) = Config::parse(Path::new("c.json"), text) else { panic!("must be refused") };
    assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
}

#[test]
fn a_wrong_type_does_not_give_a_secret_away() {
    let text = http(r#"{"auth": {"ldap": {"bindPassword": ["SECRET"]}}}"#);
    let error = parse("c.json", &text).unwrap_err();
    assert!(error.to_string().contains("bindPassword: expected a string"));
    assert!(!error.to_string().contains("SECRET"));
}

#[test]
fn a_model_with_secrets_is_masked_when_shown() {
    let mut config = good(&http("{}")).config;
    let s3 = zot_config::storage::S3 { secret_key: Some(zot_config::Secret::new("SECRET")), ..Default::default() };
    let redis = zot_config::redis::Redis { url: Some(zot_config::Secret::new("redis://:SECRET@h")), ..Default::default() };
    config.storage.default.storage_driver = Some(StorageDriver::S3(Box::new(s3)));
    config.storage.default.cache_driver = Some(CacheDriver::Redis(Box::new(redis)));
    let shown = serde_json::to_value(&config).unwrap();
    assert_eq!(shown["storage"]["storageDriver"]["secretkey"], "******");
    assert!(!format!("{shown} {config:?}").contains("SECRET"));
}

/// Any JSON, with keys that mean something more often than chance would have it.
fn any_value() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "storage",
        "http",
        "log",
        "extensions",
        "cluster",
        "auth",
        "tls",
        "port",
        "subPaths",
        "gcDelay",
        "storageDriver",
        "name",
        "ldap",
        "accessControl",
        "repositories",
        "policies",
        "actions",
        "sync",
        "registries",
        "urls",
        "limits",
        "level",
        "retention",
        "enable",
        "a",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["s3", "redis", "1h", "read", "**", "/a"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// A configuration that is good, in YAML and in TOML.
const WRITTEN: [(&str, &str); 2] = [
    (
        "c.yaml",
        "storage: {rootDirectory: /d, gc: false}\n\
         http:\n  port: \"5000\" # as text\n  trustedProxies:\n    - 10.0.0.0/8\n\
         log: &log\n  level: >-\n    debug\n",
    ),
    (
        "c.toml",
        "[storage]\nrootDirectory = '/d'\ngc = false\n\
         [http]\nport = \"5000\" # as text\ntrustedProxies = [\n  \"10.0.0.0/8\",\n]\n\
         [log]\nlevel = \"\"\"\ndebug\"\"\"\n",
    ),
];

/// A place in a text, how many characters are removed there, and what is put in, of what matters to a parser.
type Edit = (prop::sample::Index, usize, String);

fn any_edit() -> impl Strategy<Value = Edit> {
    (any::<prop::sample::Index>(), 0..4_usize, "[\\[\\]{}:,\"'&*!|>%@#=.\\-+<~?_\r\t\n \\\\0-2ae\u{85}\u{feff}é]{0,3}")
}

fn edit(text: &str, edits: &[Edit]) -> String {
    edits.iter().fold(text.to_owned(), |text, (place, removed, put_in)| {
        let place = place.index(text.chars().count() + 1);
        text.chars().take(place).chain(put_in.chars()).chain(text.chars().skip(place + removed)).collect()
    })
}

fn swap_case(text: &str, mask: u64) -> String {
    let swapped = text.chars().enumerate().map(|(index, c)| if mask >> (index % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c });
    swapped.collect()
}

proptest! {
    #[test]
    fn any_value_is_read_or_refused(value in any_value()) {
        let _ = parse("c.json", &value.to_string());
        let _ = parse("c.json", &json!({"storage": value.clone(), "http": value.clone(), "extensions": value}).to_string());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\x00-\\x7f\u{80}-\u{2ff}]{0,200}", structure in "[\\[\\]{}:,\"'&*!|>\\-\\n a-c0-9]{0,200}") {
        for name in ["c.json", "c.yaml", "c.toml", "c"] {
            let _ = parse(name, &text);
            let _ = parse(name, &structure);
        }
    }

    #[test]
    fn what_is_nearly_a_configuration_is_read_or_refused(edits in prop::collection::vec(any_edit(), 0..4)) {
        for (name, text) in WRITTEN {
            let edited = edit(text, &edits);
            let read = parse(name, &edited);
            prop_assert!(read.is_ok() || edited != text, "{name}: {read:?}");
        }
    }

    #[test]
    fn the_case_of_a_key_never_matters(mask in any::<u64>()) {
        let text = format!(
            r#"{{"{}": {{"{}": "/d", "{}": "2h"}}, "{}": {{"{}": 5000}}}}"#,
            swap_case("storage", mask), swap_case("rootDirectory", mask), swap_case("gcDelay", mask.rotate_left(7)),
            swap_case("http", mask.rotate_left(13)), swap_case("port", mask.rotate_left(17)),
        );
        let expected = parse("c.json", r#"{"storage": {"rootDirectory": "/d", "gcDelay": "2h"}, "http": {"port": 5000}}"#).unwrap();
        prop_assert_eq!(parse("c.json", &text).unwrap(), expected);
    }
}

#[test]
fn only_known_extensions_say_a_format() {
    assert_eq!(Format::of(Path::new("a.b/c.YML")), Some(Format::Yaml));
    assert_eq!(Format::of(Path::new(".json")), None);
    assert_eq!(Format::of(Path::new("config.hcl")), None);
}
