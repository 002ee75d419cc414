//! The keys whose features are not built yet: asking for one is refused, so that nobody believes in what is not there. What is accepted and does
//! nothing is warned of.

use serde_json::Value;

use crate::Config;
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::boolean;
use crate::setting::section::fold;

/// When a key asks for its feature.
#[derive(Clone, Copy)]
enum Asks {
    /// If it is neither empty text, nor zero, nor an empty list.
    IfNotEmpty,
    /// If the `enable` of the section is not false.
    UnlessDisabled,
    /// If the `enable` of the section is true.
    IfEnabled,
    /// If the `name` of the section is one of these.
    IfNamed(&'static [&'static str]),
    /// If it is this boolean.
    If(bool),
    /// If it is another word than this, and not empty.
    Unless(&'static str),
}

/// The keys, `*` standing for any key or index, when they ask, and for what; a feature that gets built takes its lines away.
const UNBUILT: &[(&str, Asks, &str)] = &[
    ("storage.storageDriver", Asks::IfNamed(&["gcs", "azure"]), "this storage driver"),
    ("storage.cacheDriver", Asks::IfNamed(&["redis"]), "metadata in Redis"),
    ("storage.maxRepos", Asks::IfNotEmpty, "a quota of repositories"),
    ("storage.retention.policies", Asks::IfNotEmpty, "retention"),
    ("storage.subPaths.*.storageDriver", Asks::IfNamed(&["gcs", "azure"]), "this storage driver"),
    ("storage.subPaths.*.cacheDriver", Asks::IfNamed(&["redis"]), "metadata in Redis"),
    ("storage.subPaths.*.retention.policies", Asks::IfNotEmpty, "retention"),
    ("http.accessControl.metrics.users", Asks::IfNotEmpty, "metrics"),
    ("extensions.search", Asks::UnlessDisabled, "searching"),
    ("extensions.ui", Asks::UnlessDisabled, "the user interface"),
    ("extensions.metrics", Asks::UnlessDisabled, "metrics"),
    ("extensions.scrub", Asks::UnlessDisabled, "scrubbing"),
    ("extensions.lint", Asks::UnlessDisabled, "linting"),
    ("extensions.trust", Asks::UnlessDisabled, "verifying signatures"),
    ("extensions.events", Asks::IfEnabled, "sending events"),
    ("extensions.sync", Asks::UnlessDisabled, "copying from other registries"),
];

/// The sections of stores, and those of what they are in.
const STORES: &[&str] = &["storage", "storage.subPaths.*"];
const DRIVERS: &[&str] = &["storage.storageDriver", "storage.subPaths.*.storageDriver"];

const NOTHING_IS_RETAINED: &str = "retention is not built yet in this release, and nothing is removed";
const NOTHING_IS_COPIED: &str = "no object is ever copied";

/// Keys that are accepted and do nothing: in which sections, when they ask for something, and why they do not get it.
const NO_EFFECT: &[(&[&str], &str, Asks, &str)] = &[
    (&["storage"], "fastRestart", Asks::If(true), "a start never walks over the store"),
    (STORES, "retention.dryRun", Asks::If(true), NOTHING_IS_RETAINED),
    (STORES, "retention.delay", Asks::IfNotEmpty, NOTHING_IS_RETAINED),
    (DRIVERS, "v4auth", Asks::If(false), "requests are always signed by version 4"),
    (DRIVERS, "multipartcopychunksize", Asks::IfNotEmpty, NOTHING_IS_COPIED),
    (DRIVERS, "multipartcopymaxconcurrency", Asks::IfNotEmpty, NOTHING_IS_COPIED),
    (DRIVERS, "multipartcopythresholdsize", Asks::IfNotEmpty, NOTHING_IS_COPIED),
    (DRIVERS, "loglevel", Asks::Unless("off"), "`log.level` is for everything"),
    (&["http.accessControl"], "metrics.anonymousPolicy", Asks::IfNotEmpty, "there are no metrics yet in this release"),
    (&["scheduler"], "numWorkers", Asks::IfNotEmpty, "each kind of background work has one task of its own"),
];

/// Keys of stores that need `gc`.
const SWEEPS: [&str; 3] = ["gcDelay", "gcInterval", "gcTimeWindow"];

/// Refuses every key of the file that asks for a feature which is not built yet.
pub(crate) fn refuse(tree: &Value, report: &Report) {
    for (pattern, asks, feature) in UNBUILT {
        for (path, value) in matches(tree, pattern) {
            if asks.of(value) {
                let message = format!("{feature} is not built yet in this release; remove the key, or wait for a release that has it");
                report.problem(&path, message);
            }
        }
    }
}

/// Warns of what is accepted because it is on by default or does no harm, and has no effect.
pub(crate) fn warn(tree: &Value, config: &Config, report: &Report) {
    if let Some((path, _)) = config.storage.stores().find(|(_, store)| store.gc) {
        let message = "garbage collection is not built yet in this release: content that nothing refers to stays; \
                       set it to false to say that this is meant";
        report.warning(&path.key("gc"), message);
    }
    for (sections, key, asks, reason) in NO_EFFECT {
        let found = sections.iter().flat_map(|section| matches(tree, &format!("{section}.{key}")));
        for (path, _) in found.filter(|(_, value)| asks.of(value)) {
            report.warning(&path, format!("has no effect: {reason}"));
        }
    }
    let stores = STORES.iter().flat_map(|stores| matches(tree, stores));
    for (path, section) in stores.filter(|(path, _)| config.storage.stores().any(|(at, store)| at == *path && !store.gc)) {
        for key in SWEEPS.into_iter().filter(|key| child(section, key).is_some_and(|(_, value)| !is_empty(value))) {
            report.warning(&path.key(key), "has no effect because `gc` is off");
        }
    }
}

impl Asks {
    fn of(self, value: &Value) -> bool {
        match self {
            Self::IfNotEmpty => !is_empty(value),
            Self::UnlessDisabled => enabled(value).unwrap_or(true),
            Self::IfEnabled => enabled(value).unwrap_or(false),
            Self::If(wanted) => boolean(value) == Some(wanted),
            Self::Unless(word) => !is_empty(value) && value.as_str().is_none_or(|text| !text.eq_ignore_ascii_case(word)),
            Self::IfNamed(names) => child(value, "name").is_some_and(|(_, name)| names.iter().any(|unbuilt| name == unbuilt)),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => matches!(text.as_str(), "" | "0"),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}

/// What is no boolean is refused elsewhere already, and asks for who knows what.
fn enabled(section: &Value) -> Option<bool> {
    child(section, "enable").map(|(_, value)| boolean(value).unwrap_or(true))
}

/// The values that are not null at the places a pattern names, each with its place.
fn matches<'a>(tree: &'a Value, pattern: &str) -> Vec<(KeyPath, &'a Value)> {
    let mut found = vec![(KeyPath::root(), tree)];
    for component in pattern.split('.') {
        found = found.iter().flat_map(|(path, value)| step(path, value, component)).collect();
    }
    found
}

fn step<'a>(path: &KeyPath, value: &'a Value, component: &str) -> Vec<(KeyPath, &'a Value)> {
    match value {
        Value::Object(entries) if component == "*" => {
            entries.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (path.entry(name), value)).collect()
        }
        _ => child(value, component).map(|(_, value)| (path.key(component), value)).into_iter().collect(),
    }
}

fn child<'a>(value: &'a Value, key: &str) -> Option<(&'a String, &'a Value)> {
    let folded = fold(key);
    value.as_object()?.iter().find(|(name, value)| !value.is_null() && fold(name) == folded)
}
