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
    assert!(refused(&http(r#"{"accessControl": {"metrics": {"users": ["m"]}}}"#), "http.accessControl.metrics.users"));
}

#[test]
fn what_asks_for_nothing_is_accepted() {
    for text in [
        http(r#"{"auth": {}, "realm": "zot", "allowOrigin": "https://a.example,https://b.example", "compat": ["docker2s2"]}"#),
        http(r#"{"auth": {"failDelay": 0, "apikey": false, "htpasswd": null}}"#),
        storage(r#""remoteCache": false, "redirectBlobURL": false, "maxRepos": 0, "retention": {"dryRun": false, "policies": []}"#),
        extensions(r#"{"search": {"enable": false}, "metrics": {"enable": "false"}, "sync": {"enable": false}, "events": {}}"#),
    ] {
        assert_eq!(good(&text).warnings, [], "{text}");
    }
}

/// Where it is warned of something.
fn warned(text: &str) -> Vec<String> {
    good(text).warnings.iter().map(|warning| warning.path.to_string()).collect()
}

#[test]
fn garbage_collection_is_warned_of_exactly_once() {
    assert_eq!(warned(r#"{"storage": {"rootDirectory": "/d"}}"#), ["storage.gc"]);
    let everywhere = r#"{"storage": {"rootDirectory": "/d", "gc": true, "gcDelay": "2h", "gcInterval": "24h", "gcTimeWindow": "22:00-04:00",
                         "subPaths": {"/a": {"rootDirectory": "/tmp/a", "gc": true}}}}"#;
    assert_eq!(warned(everywhere), ["storage.gc"]);
    let off =
        storage(r#""gcDelay": "2h", "gcInterval": "24h", "subPaths": {"/a": {"rootDirectory": "/tmp/a", "gcTimeWindow": "22:00-04:00"}}"#);
    assert_eq!(warned(&off), ["storage.gcDelay", "storage.gcInterval", r#"storage.subPaths["/a"].gcTimeWindow"#]);
    assert_eq!(warned(&storage(r#""subPaths": {"/a": {"rootDirectory": "/tmp/a", "gc": true}}"#)), [r#"storage.subPaths["/a"].gc"#]);
}

#[test]
fn keys_without_an_effect_are_warned_of() {
    assert_eq!(warned(&storage(r#""fastRestart": true"#)), ["storage.fastRestart"]);
    assert_eq!(warned(&extensions(r#"{"mgmt": {"enable": true}, "apikey": {}}"#)), ["extensions.mgmt", "extensions.apikey"]);
    assert_eq!(warned(&http(r#"{"compat": ["docker2s2", "docker2s1"]}"#)), ["http.compat[1]"]);
    assert_eq!(warned(r#"{"storage": {"rootDirectory": "/d", "gc": false}, "scheduler": {"numWorkers": 3}}"#), ["scheduler.numWorkers"]);
}

#[test]
fn keys_of_what_is_not_built_are_warned_of_where_they_do_no_harm() {
    assert_eq!(
        warned(&storage(r#""retention": {"dryRun": true, "delay": "24h"}"#)),
        ["storage.retention.dryRun", "storage.retention.delay"]
    );
    let beside = storage(r#""subPaths": {"/a": {"rootDirectory": "/tmp/a", "retention": {"delay": "24h"}}}"#);
    assert_eq!(warned(&beside), [r#"storage.subPaths["/a"].retention.delay"#]);
    let metrics = http(r#"{"accessControl": {"metrics": {"anonymousPolicy": ["read"]}}}"#);
    assert_eq!(warned(&metrics), ["http.accessControl.metrics.anonymousPolicy"]);
}

#[test]
fn keys_of_drivers_without_an_effect_are_warned_of() {
    let driver = |keys: &str| {
        let driver = format!(r#"{{"name": "s3", "bucket": "b"{keys}}}"#);
        storage(&format!(
            r#""remoteCache": false, "storageDriver": {driver},
               "subPaths": {{"/a": {{"rootDirectory": "/tmp/a", "storageDriver": {{"name": "s3", "bucket": "c"{keys}}}}}}}"#
        ))
    };
    let inert = [
        ("v4auth", r#", "V4Auth": false"#),
        ("loglevel", r#", "loglevel": "debug""#),
        ("multipartcopychunksize", r#", "multipartcopychunksize": 33554432"#),
        ("multipartcopymaxconcurrency", r#", "multipartcopymaxconcurrency": "100""#),
        ("multipartcopythresholdsize", r#", "multipartcopythresholdsize": 33554432"#),
        ("redirectendpoint", r#", "redirectendpoint": "https://blobs.example""#),
    ];
    for (key, keys) in inert {
        let expected = [format!("storage.storageDriver.{key}"), format!(r#"storage.subPaths["/a"].storageDriver.{key}"#)];
        assert_eq!(warned(&driver(keys)), expected);
    }
    assert_eq!(
        warned(&driver(r#", "v4auth": true, "loglevel": "off", "multipartcopychunksize": 0, "chunksize": 5242880"#)),
        Vec::<String>::new()
    );
    assert_eq!(warned(&storage(r#""remoteCache": true"#)), ["storage.remoteCache"]);
    assert_eq!(warned(&storage(r#""remoteCache": false"#)), Vec::<String>::new());
}

#[test]
fn tables_that_nothing_is_kept_in_are_warned_of() {
    let tables = |more: &str| {
        let names = r#""cacheTablename": "a", "repoMetaTablename": "b", "imageMetaTablename": "c", "versionTablename": "d""#;
        storage(&format!(
            r#""storageDriver": {{"name": "s3", "bucket": "b"}}, "cacheDriver": {{"name": "dynamodb", {names}, "apiKeyTablename": "k"{more}}}"#
        ))
    };
    assert_eq!(warned(&tables("")), ["storage.cacheDriver.apiKeyTablename"]);
    // As in every file of zot: keys are kept, and with the users.
    assert_eq!(warned(&tables(r#", "userDataTablename": "u""#)), Vec::<String>::new());
}

#[test]
fn keys_of_redis_without_an_effect_are_warned_of() {
    let cluster = |redis: &str| {
        let cluster = format!(r#"{{"nodes": ["a:1"], "hashKey": "0123456789abcdef", "redis": {redis}}}"#);
        format!(r#"{{"storage": {{"rootDirectory": "/d", "gc": false}}, "cluster": {cluster}}}"#)
    };
    let pool = r#"{"addr": "h", "pool_fifo": true, "pool_size": 3, "pool_timeout": "5s", "min_idle_conns": 1, "max_idle_conns": 3,
        "max_active_conns": 3, "conn_max_idle_time": "5s", "conn_max_lifetime": "5s", "read_only": true, "route_by_latency": true,
        "route_randomly": true, "context_timeout_enabled": true, "unstable_resp3": true}"#;
    assert_eq!(warned(&cluster(pool)).len(), 13);
    assert!(warned(&cluster(pool)).contains(&"cluster.redis.pool_size".to_owned()));
    let nothing =
        r#"{"addr": "h", "db": 1, "client_name": "c", "pool_fifo": false, "pool_size": 0, "read_only": "false", "read_timeout": "1s"}"#;
    assert_eq!(warned(&cluster(nothing)), Vec::<String>::new());
    assert_eq!(
        warned(&cluster(r#"{"addr": ["h:1", "i:1"], "db": 1, "client_name": "c"}"#)),
        ["cluster.redis.db", "cluster.redis.client_name"]
    );

    let in_url =
        good(&http(r#"{"auth": {"sessionDriver": {"name": "redis", "url": "redis://h?pool_size=3", "pool_fifo": true}}}"#)).warnings;
    let said: Vec<String> = in_url.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("http.auth.sessionDriver.pool_fifo: has no effect: "), "{said:?}");
    assert!(said[1].starts_with("http.auth.sessionDriver.url: `pool_size` has no effect: "), "{said:?}");
}
