//! Rules of stores in S3 and DynamoDB: what they need, and that they do not get in each other's way.

use crate::{good, problems, rules::only_problem};

const TABLES: &str = r#""repoMetaTablename": "b", "imageMetaTablename": "c", "versionTablename": "d""#;

/// A configuration with a default store of these keys beside those of a bucket, and more sections.
fn remote(driver: &str, store: &str, sections: &str) -> String {
    let driver = format!(r#"{{"name": "s3", "bucket": "b"{driver}}}"#);
    format!(r#"{{"storage": {{"gc": false, "storageDriver": {driver}{store}}}{sections}}}"#)
}

/// As above, with metadata on the local disk.
fn simple(driver: &str) -> String {
    remote(driver, r#", "rootDirectory": "/d", "remoteCache": false, "redirectBlobURL": true"#, "")
}

fn tables(name: &str) -> String {
    format!(r#", "cacheDriver": {{"name": "dynamodb", "cacheTablename": "{name}", {TABLES}}}"#)
}

#[test]
fn what_is_kept_on_the_local_disk_needs_a_directory() {
    let at = "storage.rootDirectory";
    only_problem(&remote("", r#", "remoteCache": false"#, ""), at, "needed for the metadata and how far uploads are");
    only_problem(&remote("", &tables("a"), ""), at, "needed for how far uploads are");
    let cluster = |keys: &str| format!(r#", "cluster": {{"nodes": ["a:1"], "hashKey": "0123456789abcdef"{keys}}}"#);
    let redis = r#", "redis": {"url": "redis://h"}"#;
    let shared = cluster(&format!(r#"{redis}, "directory": "/c""#));
    only_problem(&remote("", r#", "dedupe": false"#, &shared), at, "needed for the metadata:");
    assert_eq!(problems(&remote("", &tables("a"), &shared)), Vec::<String>::new());

    let beside = format!(r#"{}, "subPaths": {{"/a": {{"storageDriver": {{"name": "s3", "bucket": "c"}}}}}}"#, tables("a"));
    only_problem(&remote("", &beside, &shared), r#"storage.subPaths["/a"].rootDirectory"#, "the metadata");

    let agreed = cluster(redis);
    only_problem(&remote("", &tables("a"), &agreed), "cluster.directory", "give this, or `storage.rootDirectory`");
    assert_eq!(problems(&remote("", &format!(r#"{}, "rootDirectory": "/d""#, tables("a")), &agreed)), Vec::<String>::new());
}

#[test]
fn what_s3_would_refuse_is_refused_at_once() {
    let at = |key: &str| format!("storage.storageDriver.{key}");
    only_problem(&simple(r#", "accesskey": "a""#), &at("secretkey"), "because `accesskey` is");
    only_problem(&simple(r#", "secretkey": "s", "accesskey": """#), &at("accesskey"), "because `secretkey` is");
    only_problem(&simple(r#", "chunksize": 1048576"#), &at("chunksize"), "is 1048576, S3 takes parts from 5242880 to 5368709120 bytes");
    only_problem(&simple(r#", "useragent": "a\nb""#), &at("useragent"), "sent in a header");
    for key in ["usedualstack", "accelerate", "usefipsendpoint"] {
        for own in [r#""regionendpoint": "s3.example", "forcepathstyle": false"#, r#""secure": false"#] {
            only_problem(&simple(&format!(r#", "{key}": true, {own}"#)), &at(key), "exclusive with `regionendpoint`");
        }
        assert_eq!(problems(&simple(&format!(r#", "{key}": true"#))), Vec::<String>::new());
    }
    only_problem(&simple(r#", "accelerate": true, "forcepathstyle": true"#), &at("accelerate"), "exclusive with `forcepathstyle`");
    only_problem(&simple(r#", "accelerate": true, "usefipsendpoint": true"#), &at("accelerate"), "exclusive with `usefipsendpoint`");
}

#[test]
fn links_lead_to_a_host_and_no_further() {
    let redirect = |endpoint: &str| simple(&format!(r#", "redirectendpoint": "{endpoint}""#));
    for endpoint in ["https://blobs.example", "http://10.0.0.1:9000/", ""] {
        assert_eq!(problems(&redirect(endpoint)), Vec::<String>::new(), "{endpoint}");
    }
    for endpoint in
        ["blobs.example", "blobs.example:80", "s3://b", "https://", "https://h/cdn", "https://h?a=b", "https://u:p@h", "https://h#f"]
    {
        only_problem(&redirect(endpoint), "storage.storageDriver.redirectendpoint", "scheme and host and nothing else");
    }
}

/// Two stores beside the default one, in S3 as that is not.
fn two(one: &str, other: &str) -> String {
    let store = |route: &str, keys: &str| format!(r#""{route}": {{"rootDirectory": "/tmp{route}", {keys}}}"#);
    let (one, other) = (store("/x", one), store("/y", other));
    format!(r#"{{"storage": {{"rootDirectory": "/tmp/zot", "gc": false, "subPaths": {{{one}, {other}}}}}}}"#)
}

fn bucket(name: &str, root: &str, more: &str) -> String {
    format!(r#""storageDriver": {{"name": "s3", "bucket": "{name}", "rootdirectory": "{root}"{more}}}"#)
}

#[test]
fn stores_in_one_place_have_the_same_settings() {
    let at = r#"storage.subPaths["/y"].storageDriver"#;
    let where_x_is = |place: &str| format!(r#"{place} is also where `storage.subPaths["/x"]` is, with other settings"#);
    let place = bucket("b", "/zot", "");
    only_problem(
        &two(&place, &format!(r#"{place}, "commit": false"#)),
        at,
        &format!("{} (commit, rootDirectory)", where_x_is("s3://b/zot")),
    );
    let elsewhere = bucket("b", "zot/", r#", "regionendpoint": "http://h", "forcepathstyle": true"#);
    only_problem(&two(&place, &elsewhere), at, &where_x_is("s3://b/zot"));
    only_problem(&two(&bucket("b", "", ""), &bucket("b", "/", "")), at, "(rootDirectory)");

    // Written differently, they are one store.
    let same = |root: &str| format!(r#"{}, "rootDirectory": "/tmp/s""#, bucket("b", root, ""));
    let route = |route: &str, keys: &str| format!(r#""{route}": {{{keys}}}"#);
    let (one, other) = (route("/x", &same("/zot")), route("/y", &same("zot/")));
    let loaded = good(&format!(r#"{{"storage": {{"rootDirectory": "/tmp/zot", "gc": false, "subPaths": {{{one}, {other}}}}}}}"#));
    assert_eq!(loaded.config.storage.sub_paths["/x"], loaded.config.storage.sub_paths["/y"]);
}

#[test]
fn places_do_not_lie_inside_each_other() {
    let at = r#"storage.subPaths["/y"].storageDriver"#;
    for (one, other) in [("/zot", "/zot/a"), ("/zot/a", "/zot"), ("", "/zot")] {
        only_problem(&two(&bucket("b", one, ""), &bucket("b", other, "")), at, "lie inside each other");
        let elsewhere = bucket("b", other, r#", "regionendpoint": "http://h", "forcepathstyle": true"#);
        assert_eq!(problems(&two(&bucket("b", one, ""), &elsewhere)), Vec::<String>::new(), "it is another bucket");
    }
    for (one, other) in [(("b", "/zot"), ("b", "/zot-a")), (("b", "/zot"), ("c", "/zot"))] {
        assert_eq!(problems(&two(&bucket(one.0, one.1, ""), &bucket(other.0, other.1, ""))), Vec::<String>::new());
    }
    let default = remote(
        "",
        &format!(
            r#", "rootDirectory": "/d", "remoteCache": false, "subPaths": {{"/a": {{"rootDirectory": "/e", {}}}}}"#,
            bucket("b", "/a", "")
        ),
        "",
    );
    only_problem(&default, r#"storage.subPaths["/a"].storageDriver"#, "s3://b/a and s3://b/, where `storage` is, lie inside each other");
}

#[test]
fn no_two_stores_share_rows() {
    let store = |bucket_name: &str, tables: &str| {
        let cache = format!(r#""cacheDriver": {{"name": "dynamodb", {tables}}}"#);
        format!(r#"{}, "dedupe": true, {cache}"#, bucket(bucket_name, "/zot", ""))
    };
    let named = |prefix: &str, more: &str| {
        let table = |key: &str| format!(r#""{key}": "{prefix}-{key}""#);
        let keys = ["cacheTablename", "repoMetaTablename", "imageMetaTablename", "versionTablename"].map(table);
        format!("{}{more}", keys.join(", "))
    };
    let at = r#"storage.subPaths["/y"].cacheDriver"#;
    let mine = named("one", r#", "region": "r""#);
    only_problem(&two(&store("b", &mine), &store("c", &mine)), at, r#"`storage.subPaths["/x"]` keeps its rows in one-cacheTablename, "#);
    let partly = named("two", r#", "repoBlobsInfoTablename": "one-repoMetaTablename""#);
    only_problem(&two(&store("b", &mine), &store("c", &partly)), at, "keeps its rows in one-repoMetaTablename too");

    let users = r#", "region": "r", "userDataTablename": "users""#;
    for other in [named("two", users), named("one", r#", "region": "s""#), named("one", r#", "region": "r", "endpoint": "http://h""#)] {
        assert_eq!(problems(&two(&store("b", &named("one", users)), &store("c", &other))), Vec::<String>::new(), "{other}");
    }
}

#[test]
fn several_nodes_are_told_how_to_use_the_tables_that_they_have() {
    let cluster = r#", "cluster": {"nodes": ["a:1", "b:1"], "hashKey": "0123456789abcdef"}"#;
    for off in [r#", "dedupe": false"#, r#", "remoteCache": false"#] {
        let text = remote("", &format!(r#", "rootDirectory": "/d"{off}{}"#, tables("a")), cluster);
        only_problem(&text, "storage.remoteCache", "set it to true, so that `cacheDriver` is used");
    }
    let on = format!(r#", "rootDirectory": "/d", "dedupe": false, "remoteCache": true{}"#, tables("a"));
    assert_eq!(problems(&remote("", &on, cluster)), Vec::<String>::new());
    only_problem(&remote("", r#", "rootDirectory": "/d", "dedupe": false"#, cluster), "storage.cacheDriver", "configure `dynamodb`");
}
