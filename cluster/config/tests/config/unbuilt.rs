//! What is not built yet is refused or warned of, and never silently accepted.

use crate::{all_problems, extensions, good, http, storage};

fn refused(text: &str, path: &str) -> bool {
    all_problems(text).iter().any(|problem| problem.starts_with(&format!("{path}: ")) && problem.contains(" is not built yet "))
}

#[test]
fn other_features_that_are_not_built_are_refused_by_path() {
    let remote = r#""storageDriver": {"name": "gcs", "bucket": "b"}, "remoteCache": false"#;
    assert!(refused(&storage(remote), "storage.storageDriver"));
    assert!(refused(&storage(r#""cacheDriver": {"name": "redis", "url": "redis://h"}"#), "storage.cacheDriver"));
    let beside = format!(r#""subPaths": {{"/a": {{"rootDirectory": "/tmp/a", {remote}}}}}"#);
    assert!(refused(&storage(&beside), r#"storage.subPaths["/a"].storageDriver"#));
    assert!(refused(&storage(r#""maxRepos": 5"#), "storage.maxRepos"));
    assert!(refused(&storage(r#""retention": {"policies": [{}]}"#), "storage.retention.policies"));
    for section in ["search", "ui", "metrics", "scrub", "lint", "trust", "sync"] {
        assert!(refused(&extensions(&format!(r#"{{"{section}": {{}}}}"#)), &format!("extensions.{section}")), "{section}");
    }
    assert!(refused(&extensions(r#"{"events": {"enable": true}}"#), "extensions.events"));
}

#[test]
fn what_asks_for_nothing_is_accepted() {
    for text in [
        http(r#"{"auth": {}, "realm": "zot", "allowOrigin": "https://a.example,https://b.example", "compat": ["docker2s2"]}"#),
        http(r#"{"auth": {"failDelay": 0, "apikey": false, "htpasswd": null}}"#),
        storage(r#""remoteCache": false, "redirectBlobURL": false, "maxRepos": 0, "retention": {"dryRun": true, "policies": []}"#),
        extensions(r#"{"search": {"enable": false}, "metrics": {"enable": "false"}, "sync": {"enable": false}, "events": {}}"#),
    ] {
        assert_eq!(good(&text).warnings, [], "{text}");
    }
}

#[test]
fn garbage_collection_is_warned_of_exactly_once() {
    let warned = |text: &str| good(text).warnings.iter().map(|warning| warning.path.to_string()).collect::<Vec<_>>();
    assert_eq!(warned(r#"{"storage": {"rootDirectory": "/d"}}"#), ["storage.gc"]);
    let everywhere = r#"{"storage": {"rootDirectory": "/d", "gc": true, "gcDelay": "2h", "gcInterval": "24h", "gcTimeWindow": "22:00-04:00",
                         "subPaths": {"/a": {"rootDirectory": "/tmp/a", "gc": true}}}}"#;
    assert_eq!(warned(everywhere), ["storage.gc"]);
    assert_eq!(warned(&storage(r#""gcDelay": "2h", "gcInterval": "24h""#)), Vec::<String>::new());
    assert_eq!(warned(&storage(r#""subPaths": {"/a": {"rootDirectory": "/tmp/a", "gc": true}}"#)), [r#"storage.subPaths["/a"].gc"#]);
}

#[test]
fn keys_without_an_effect_are_warned_of() {
    let warned = |text: &str| good(text).warnings.iter().map(|warning| warning.path.to_string()).collect::<Vec<_>>();
    assert_eq!(warned(&storage(r#""fastRestart": true"#)), ["storage.fastRestart"]);
    assert_eq!(warned(&extensions(r#"{"mgmt": {"enable": true}, "apikey": {}}"#)), ["extensions.mgmt", "extensions.apikey"]);
    assert_eq!(warned(&http(r#"{"compat": ["docker2s2", "docker2s1"]}"#)), ["http.compat[1]"]);
    assert_eq!(warned(r#"{"storage": {"rootDirectory": "/d", "gc": false}, "scheduler": {"numWorkers": 3}}"#), ["scheduler.numWorkers"]);
}
