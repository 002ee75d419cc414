//! The keys whose features are not built yet: asking for one is refused, so that nobody believes in what is not there.

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
    ("extensions.search", Asks::UnlessDisabled, "searching"),
    ("extensions.ui", Asks::UnlessDisabled, "the user interface"),
    ("extensions.metrics", Asks::UnlessDisabled, "metrics"),
    ("extensions.scrub", Asks::UnlessDisabled, "scrubbing"),
    ("extensions.lint", Asks::UnlessDisabled, "linting"),
    ("extensions.trust", Asks::UnlessDisabled, "verifying signatures"),
    ("extensions.events", Asks::IfEnabled, "sending events"),
    ("extensions.sync", Asks::UnlessDisabled, "copying from other registries"),
];

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

/// Warns of what is accepted because it is on by default or does no harm, and has no effect yet.
pub(crate) fn warn(config: &Config, report: &Report) {
    if let Some((path, _)) = config.storage.stores().find(|(_, store)| store.gc) {
        let message = "garbage collection is not built yet in this release: content that nothing refers to stays; \
                       set it to false to say that this is meant";
        report.warning(&path.key("gc"), message);
    }
    if config.storage.all.fast_restart {
        report.warning(&KeyPath::of("storage.fastRestart"), "has no effect: a start never walks over the store");
    }
    if config.scheduler.workers > 0 {
        report.warning(&KeyPath::of("scheduler.numWorkers"), "has no effect: no background work is built yet in this release");
    }
}

impl Asks {
    fn of(self, value: &Value) -> bool {
        match self {
            Self::IfNotEmpty => !is_empty(value),
            Self::UnlessDisabled => enabled(value).unwrap_or(true),
            Self::IfEnabled => enabled(value).unwrap_or(false),
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
