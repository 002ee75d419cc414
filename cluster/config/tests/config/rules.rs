//! Rules between keys, in sections that are built and in those that are not yet.

use crate::{extensions, good, http, problems, storage};

/// Asserts that there is exactly one problem, and that it is at `path` and holds `fragment`.
#[track_caller]
pub(crate) fn only_problem(text: &str, path: &str, fragment: &str) {
    let said = problems(text);
    assert_eq!(said.len(), 1, "{said:?} in {text}");
    assert!(said[0].starts_with(&format!("{path}: ")) && said[0].contains(fragment), "{said:?}");
}

pub(crate) fn auth(section: &str) -> String {
    http(&format!(r#"{{"auth": {section}}}"#))
}

#[test]
fn roots_of_different_stores_must_not_overlap() {
    let sub_paths = |entries: &str| storage(&format!(r#""subPaths": {{{entries}}}"#));
    only_problem(
        &sub_paths(r#""/a": {"rootDirectory": "/tmp/x/../ZOT/"}"#),
        r#"storage.subPaths["/a"].rootDirectory"#,
        "invalid storage config, default storage and substore (route: /a) cannot use the same root directory",
    );
    only_problem(
        &sub_paths(r#""/a": {"rootDirectory": "/tmp/zot/a"}"#),
        r#"storage.subPaths["/a"].rootDirectory"#,
        "invalid storage config, substore (route: /a) root directory cannot be inside default storage root directory",
    );
    only_problem(
        &sub_paths(r#""/a": {"rootDirectory": "/"}"#),
        r#"storage.subPaths["/a"].rootDirectory"#,
        "default storage root directory cannot be inside substore (route: /a) root directory",
    );
    only_problem(
        &sub_paths(r#""/a": {"rootDirectory": "/tmp/s"}, "/b": {"rootDirectory": "/tmp/s", "dedupe": true}"#),
        r#"storage.subPaths["/b"].rootDirectory"#,
        "substore (route: /a) and substore (route: /b) cannot use the same root directory",
    );
    let loaded = good(&sub_paths(
        r#""/a": {"rootDirectory": "/tmp/s"}, "/b": {"rootDirectory": "/tmp//./s/"}, "/c": {"rootDirectory": "/tmp/zot2"}"#,
    ));
    let root = |route: &str| loaded.config.storage.sub_paths[route].root_directory.as_os_str();
    assert_eq!(root("/a"), root("/b"));
}

#[test]
fn a_root_directory_is_needed() {
    only_problem(r#"{"http": {"port": 8080}}"#, "storage.rootDirectory", "no storage config provided");
    only_problem(&storage(r#""subPaths": {"/a": {}}"#), r#"storage.subPaths["/a"].rootDirectory"#, "root directory is needed");
}

#[test]
fn a_route_that_can_match_nothing_is_warned_of() {
    let loaded = good(&storage(r#""subPaths": {"a": {"rootDirectory": "/tmp/a"}, "/b/c": {"rootDirectory": "/tmp/b"}}"#));
    assert_eq!(loaded.warnings.len(), 2);
}

#[test]
fn half_a_pair_for_tls_is_refused() {
    only_problem(&http(r#"{"tls": {"cert": "/c"}}"#), "http.tls.key", "TLS needs both");
    only_problem(&http(r#"{"tls": {"key": "/k", "cacert": "/ca"}}"#), "http.tls.cert", "TLS needs both");
    assert!(good(&http(r#"{"tls": {"cert": "/c", "key": "/k", "cacert": ""}}"#)).config.http.tls.unwrap().cacert.is_none());
}

#[test]
fn limits_of_nothing_are_refused() {
    only_problem(&http(r#"{"limits": {"connectionsMax": 0}}"#), "http.limits.connectionsMax", "greater than zero");
    only_problem(&http(r#"{"limits": {"pageEntriesMax": 20000}}"#), "http.limits.pageEntriesMax", "must be at most 10000, is 20000");
    only_problem(&storage(r#""uploadExpiry": "0s""#), "storage.uploadExpiry", "greater than zero");
    only_problem(&storage(r#""gcDelay": "-1h""#), "storage.gcDelay", "must not be negative, is -1h");
}

#[test]
fn a_cache_of_blobs_needs_a_place_and_room() {
    let cache = |section: &str| storage(&format!(r#""blobCache": {section}"#));
    only_problem(&cache(r#"{"size": "1GiB"}"#), "storage.blobCache.directory", "is needed");
    only_problem(&cache(r#"{"directory": "/c", "size": "1MiB"}"#), "storage.blobCache.size", "at least 64MiB");
    only_problem(&cache(r#"{"directory": "/c", "size": "much"}"#), "storage.blobCache.size", "expected a size such as `50GiB`");
    let loaded = good(&cache(r#"{"directory": "/c", "size": "50GiB"}"#));
    let cache = loaded.config.storage.all.blob_cache.unwrap();
    assert_eq!((cache.directory.to_str(), cache.size.bytes()), (Some("/c"), 50 << 30));
    assert!(loaded.warnings.iter().any(|warning| warning.to_string().contains("no store is remote")));
}

#[test]
fn an_address_is_no_url() {
    only_problem(&http(r#"{"address": "http://0.0.0.0"}"#), "http.address", "expected a host name or an IP address");
    for (address, listened) in [("[::1]", "[::1]:8080"), ("::1", "[::1]:8080"), ("", "0.0.0.0:8080"), ("localhost", "localhost:8080")] {
        assert_eq!(good(&http(&format!(r#"{{"address": "{address}"}}"#))).config.http.listen_address(), listened);
    }
}

#[test]
fn who_listens_everywhere_is_reached_on_the_loopback_interface() {
    for (address, reached) in
        [("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("192.0.2.1", "192.0.2.1"), ("localhost", "localhost")]
    {
        assert_eq!(good(&http(&format!(r#"{{"address": "{address}"}}"#))).config.http.local_address(), format!("{reached}:8080"));
    }
}

#[test]
fn sessions_are_kept_where_they_can_be() {
    only_problem(
        &auth(r#"{"sessionDriver": {}}"#),
        "http.auth.sessionDriver.name",
        "invalid server config: must provide session driver name!",
    );
    only_problem(
        &auth(r#"{"sessionDriver": {"name": "badDriver"}}"#),
        "http.auth.sessionDriver.name",
        "invalid server config: session store driver badDriver is not allowed!",
    );
    only_problem(
        &auth(r#"{"sessionDriver": {"name": "redis", "url": "redis://localhost"}, "sessionKeysFile": "/k.json"}"#),
        "http.auth.sessionKeysFile",
        "invalid server config: session keys not supported when redis session driver is used!",
    );
}

#[test]
fn a_directory_of_users_needs_its_keys() {
    let said = problems(&auth(r#"{"ldap": {"port": 389}}"#));
    for name in ["userAttribute", "address", "basedn"] {
        let fragment = format!("invalid LDAP configuration, missing mandatory key: {name}");
        assert!(said.iter().any(|problem| problem.ends_with(&fragment)), "{said:?}");
    }
    let ldap =
        |more: &str| auth(&format!(r#"{{"ldap": {{"address": "l", "port": 389, "baseDN": "dc=x", "userAttribute": "uid", {more}}}}}"#));
    assert_eq!(problems(&ldap(r#""bindDN": "cn=x", "bindPassword": "y""#)), Vec::<String>::new());
    assert_eq!(problems(&ldap(r#""credentialsFile": "/c.json""#)), Vec::<String>::new());
    only_problem(&ldap(r#""bindDN": "cn=x""#), "http.auth.ldap.bindDN", "belong together");
    only_problem(
        &ldap(r#""bindDN": "cn=x", "bindPassword": "y", "credentialsFile": "/c.json""#),
        "http.auth.ldap.credentialsFile",
        "exclusive",
    );
}

#[test]
fn tokens_that_nobody_would_check_are_refused() {
    let bearer = |section: &str| auth(&format!(r#"{{"bearer": {section}}}"#));
    only_problem(&bearer(r#"{"realm": "https://a/token", "service": "s"}"#), "http.auth.bearer", "no token would be checked");
    only_problem(&bearer(r#"{"oidc": [{"issuer": "https://i"}]}"#), "http.auth.bearer.oidc[0].audiences", "no token would be checked");
    only_problem(
        &bearer(r#"{"realm": "https://a", "service": "s", "cert": "/c", "upstreamTokenEndpoint": {"realm": "http://u", "service": "s"}}"#),
        "http.auth.bearer.upstreamTokenEndpoint.realm",
        "must be an `https` URL",
    );
    assert_eq!(problems(&bearer(r#"{"realm": "https://a", "service": "s", "cert": "/c"}"#)), Vec::<String>::new());
    assert_eq!(problems(&bearer(r#"{"realm": "zot", "oidc": [{"issuer": "https://i", "audiences": "zot"}]}"#)), Vec::<String>::new());
}

#[test]
fn parties_to_log_in_at_need_their_keys() {
    let provider = |name: &str, section: &str| auth(&format!(r#"{{"openid": {{"providers": {{"{name}": {section}}}}}}}"#));
    only_problem(&provider("myidp", "{}"), r#"http.auth.openid.providers["myidp"]"#, "unsupported openid/oauth2 provider");
    only_problem(
        &provider("oidc", r#"{"clientid": "x", "scopes": ["openid"]}"#),
        r#"http.auth.openid.providers["oidc"]"#,
        "OpenID provider config requires clientid, issuer and scopes parameters",
    );
    only_problem(
        &provider("github", r#"{"credentialsFile": "/c.json"}"#),
        r#"http.auth.openid.providers["github"]"#,
        "OAuth2 provider config requires clientid and scopes parameters",
    );
    assert_eq!(problems(&provider("github", r#"{"clientid": "x", "clientsecret": "y", "scopes": "read:org"}"#)), Vec::<String>::new());
}

#[test]
fn certificates_of_users_need_an_authority() {
    only_problem(&auth(r#"{"mtls": {}}"#), "http.auth.mtls", "mTLS configuration requires TLS to be enabled with CA certificate");
    let mtls =
        |section: &str| http(&format!(r#"{{"tls": {{"cert": "/c", "key": "/k", "cacert": "/ca"}}, "auth": {{"mtls": {section}}}}}"#));
    assert_eq!(problems(&mtls(r#"{"identityAttributes": [" cn", "DNS"], "dnsSanIndex": 1}"#)), Vec::<String>::new());
    only_problem(
        &mtls(r#"{"identityAttributes": ["name"]}"#),
        "http.auth.mtls.identityAttributes[0]",
        "unsupported identity attribute: name",
    );
    only_problem(&mtls(r#"{"uriSanIndex": 1}"#), "http.auth.mtls.uriSanIndex", "is only supported with");
    only_problem(
        &mtls(r#"{"identityAttributes": ["URI"], "uriSanPattern": "("}"#),
        "http.auth.mtls.uriSanPattern",
        "invalid regular expression",
    );
}

#[test]
fn rules_about_users_need_a_way_to_tell_users_apart() {
    let access = |section: &str| http(&format!(r#"{{"accessControl": {section}}}"#));
    let needed = "access control config requires one of htpasswd, ldap, openid or mTLS authentication";
    only_problem(&access(r#"{"repositories": {"**": {"defaultPolicy": ["read"]}}}"#), "http.accessControl", needed);
    only_problem(&access(r#"{"adminPolicy": {"users": ["admin"], "actions": ["read"]}}"#), "http.accessControl", needed);
    only_problem(&access("{}"), "http.accessControl", needed);
    assert_eq!(problems(&access(r#"{"repositories": {"**": {"anonymousPolicy": ["read"]}, "secret/**": {}}}"#)), Vec::<String>::new());
    assert_eq!(problems(&access(r#"{"metrics": {"anonymousPolicy": ["read"]}}"#)), Vec::<String>::new());
}

#[test]
fn groups_and_users_that_nobody_can_be_are_warned_of() {
    let warned = |policy: &str| -> Vec<String> {
        let groups = r#""groups": {"Dev": {"users": ["alice"]}}"#;
        let tls = r#""tls": {"cert": "/c", "key": "/k", "cacert": "/a"}"#;
        let access = format!(r#"{{{groups}, "repositories": {{"**": {{"policies": [{policy}]}}}}}}"#);
        let loaded = good(&http(&format!(r#"{{{tls}, "accessControl": {access}}}"#)));
        loaded.warnings.iter().map(ToString::to_string).collect()
    };
    let place = r#"http.accessControl.repositories["**"].policies[0]"#;
    assert_eq!(warned(r#"{"groups": ["Dev"], "actions": ["read"]}"#), Vec::<String>::new());
    assert_eq!(
        warned(r#"{"groups": ["dev", "ops"], "actions": ["read"]}"#),
        [
            format!(r#"{place}.groups[0]: no group is called "dev", did you mean "Dev"?"#),
            format!(r#"{place}.groups[1]: nobody can be in "ops": no such group is configured"#),
        ]
    );
    let nobody = warned(r#"{"users": [""], "actions": ["read"]}"#);
    assert!(nobody.len() == 1 && nobody[0].starts_with(&format!("{place}.users[0]: nobody has an empty name")), "{nobody:?}");
    assert_eq!(warned(r#"{"actions": ["read"]}"#), [format!("{place}: is for nobody: it names neither users nor groups")]);
}

#[test]
fn an_empty_policy_is_kept() {
    let access = r#"{"accessControl": {"repositories": {"**": {"anonymousPolicy": ["read"]}, "secret/**": {}}}}"#;
    let loaded = good(&http(access)).config.http.access_control.unwrap();
    assert_eq!(loaded.repositories.keys().collect::<Vec<_>>(), ["**", "secret/**"]);
}

#[test]
fn actions_and_patterns_are_checked() {
    let access = |repositories: &str| {
        http(&format!(r#"{{"auth": {{"htpasswd": {{"path": "/h"}}}}, "accessControl": {{"repositories": {repositories}}}}}"#))
    };
    only_problem(
        &access(r#"{"**": {"policies": [{"users": ["u"], "actions": ["read", "push"]}]}}"#),
        r#"http.accessControl.repositories["**"].policies[0].actions[1]"#,
        "expected one of `read` `create` `update` `delete` `detectManifestCollision`, found the string \"push\"",
    );
    only_problem(&access(r#"{"[a": {}}"#), r#"http.accessControl.repositories["[a"]"#, "syntax error in pattern");
}

#[test]
fn remote_storage_has_its_rules() {
    let remote = r#""storageDriver": {"name": "s3", "bucket": "b"}"#;
    only_problem(&storage(remote), "storage.cacheDriver", "no remote database configured");
    only_problem(&storage(r#""storageDriver": {"name": "swift"}"#), "storage.storageDriver.name", "unsupported storage driver");
    only_problem(
        &storage(r#""remoteCache": true, "cacheDriver": {"name": "dynamodb"}"#),
        "storage.cacheDriver",
        "cannot have local storage driver",
    );
    only_problem(
        &storage(r#""remoteCache": true, "cacheDriver": {"name": "etcd"}"#),
        "storage.cacheDriver.name",
        "unsupported database driver",
    );
    let local = "is supported only for s3/gcs/azure storage";
    only_problem(&storage(r#""redirectBlobURL": true"#), "storage.redirectBlobURL", local);
    let beside = |store: &str| storage(&format!(r#""subPaths": {{"/a": {{"rootDirectory": "/tmp/a", "redirectBlobURL": true{store}}}}}"#));
    only_problem(&beside(""), r#"storage.subPaths["/a"].redirectBlobURL"#, local);
    assert_eq!(problems(&beside(&format!(", {remote}"))), Vec::<String>::new());
    assert_eq!(problems(&storage(&format!(r#"{remote}, "remoteCache": false, "redirectBlobURL": true"#))), Vec::<String>::new());
    let redis = r#""cacheDriver": {"name": "redis", "url": "redis://localhost:6379"}"#;
    assert_eq!(problems(&storage(&format!("{remote}, {redis}"))), Vec::<String>::new());
    let beside = format!(r#""subPaths": {{"/a": {{"rootDirectory": "/tmp/a", "dedupe": true, {remote}, {redis}}}}}"#);
    only_problem(&storage(&beside), r#"storage.subPaths["/a"].cacheDriver.name"#, "unsupported database driver");
}

#[test]
fn every_table_needs_a_name() {
    let remote = r#""storageDriver": {"name": "s3", "bucket": "b"}"#;
    let tables = |names: &str| storage(&format!(r#"{remote}, "cacheDriver": {{"name": "dynamodb", "cacheTablename": "a"{names}}}"#));
    let missing = "names no table for: repoMetaTablename, imageMetaTablename, versionTablename";
    only_problem(&tables(""), "storage.cacheDriver", missing);
    only_problem(&tables(r#", "repoMetaTablename": """#), "storage.cacheDriver", missing);
    let older = r#", "repoMetaTablename": "b", "manifestDataTablename": "c", "versionTablename": "d""#;
    assert_eq!(problems(&tables(older)), Vec::<String>::new());
}

#[test]
fn retention_is_read_in_the_words_of_every_release() {
    let retention = |policy: &str| storage(&format!(r#""retention": {{"delay": "24h", "policies": [{policy}]}}"#));
    let old = retention(r#"{"repoNames": ["infra/*"], "KeepTags": [{"patterns": ["v2.*"], "pulledWithin": "168h"}]}"#);
    let new = retention(r#"{"repositories": ["infra/*"], "keepUntagged": {"mostRecentlyPushedCount": 3}}"#);
    assert_eq!(problems(&old), Vec::<String>::new());
    assert_eq!(problems(&new), Vec::<String>::new());
    only_problem(
        &retention(r#"{"repoNames": ["a"], "repositories": ["b"]}"#),
        "storage.retention.policies[0].repositories",
        "given more than once",
    );
    only_problem(
        &retention(r#"{"repositories": ["**"], "keepTags": [{"patterns": ["(v"]}]}"#),
        "storage.retention.policies[0].keepTags[0].patterns[0]",
        "invalid regular expression",
    );
}

#[test]
fn extensions_have_their_rules() {
    only_problem(&extensions(r#"{"ui": {}}"#), "extensions.ui", "failed to enable ui, search extension must be enabled");
    for (path, fragment) in [("metrics", "must start with /"), ("/v2", "is disallowed"), ("/a/../b", "invalid metrics path")] {
        let text = extensions(&format!(r#"{{"metrics": {{"enable": "true", "prometheus": {{"path": "{path}"}}}}}}"#));
        only_problem(&text, "extensions.metrics.prometheus.path", fragment);
    }
    only_problem(
        &extensions(r#"{"events": {"enable": true, "sinks": [{"type": "generic", "address": "x"}]}}"#),
        "extensions.events.sinks[0].type",
        "event sink is not supported",
    );
}

#[test]
fn copying_has_its_rules() {
    let registry = |section: &str| extensions(&format!(r#"{{"sync": {{"registries": [{{"urls": ["https://r"], {section}}}]}}}}"#));
    let at = "extensions.sync.registries[0]";
    only_problem(&registry(r#""manifestCheckInterval": "1h""#), &format!("{at}.manifestCheckInterval"), "needs `onDemand`");
    only_problem(&registry(r#""maxRetries": 3"#), &format!("{at}.maxRetries"), "needs `retryDelay`");
    only_problem(&registry(r#""retryDelay": "2m", "maxRetryDelay": "1m""#), &format!("{at}.maxRetryDelay"), "must not be less");
    only_problem(&registry(r#""reqConcurrent": 0"#), &format!("{at}.reqConcurrent"), "greater than zero");
    only_problem(&registry(r#""reqPerSec": "NaN""#), &format!("{at}.reqPerSec"), "expected a finite number");
    only_problem(&registry(r#""preserveDigest": true"#), &format!("{at}.preserveDigest"), "needs `http.compat`");
    only_problem(
        &registry(r#""content": [{"prefix": "a", "destination": "/", "stripPrefix": true}]"#),
        &format!("{at}.content[0].stripPrefix"),
        "nothing would be left",
    );
    only_problem(
        &registry(r#""credentialHelper": "oauth2", "oauth2CredentialHelper": {"tokenURL": "https://t"}"#),
        &format!("{at}.oauth2CredentialHelper"),
        "exactly one of",
    );
    assert_eq!(problems(&registry(r#""onDemand": true, "maxRetries": 3, "retryDelay": "10m", "reqPerSec": 2"#)), Vec::<String>::new());
}

#[test]
fn a_cluster_needs_members_and_a_key() {
    let cluster = |section: &str| format!(r#"{{"storage": {{"rootDirectory": "/d"}}, "cluster": {section}}}"#);
    only_problem(
        &cluster(r#"{"members": [], "hashKey": "loremipsumdolors"}"#),
        "cluster.members",
        "cannot have 0 members in a scale out cluster",
    );
    only_problem(&cluster(r#"{"members": ["a:1"], "hashKey": "short"}"#), "cluster.hashKey", "must have 16 characters");
    only_problem(&cluster(r#"{"members": ["a"], "hashKey": "loremipsumdolors"}"#), "cluster.members[0]", "expected `host:port`");
    only_problem(&cluster(r#"{"nodes": ["a:1", "a:1"], "hashKey": "loremipsumdolors"}"#), "cluster.nodes[1]", "named twice");
    only_problem(&cluster(r#"{"nodes": ["a:1"], "members": ["b:1"], "hashKey": "loremipsumdolors"}"#), "cluster.nodes", "either");
    let large = r#"{"storage": {"rootDirectory": "/d"}, "http": {"limits": {"manifestBytesMax": 16000000}}, "cluster": {"members": ["a:1"], "hashKey": "loremipsumdolors"}}"#;
    only_problem(large, "http.limits.manifestBytesMax", "members of a cluster hand at most 15728640 bytes to each other");
}

#[test]
fn the_stores_of_several_nodes_are_all_shared_or_all_local() {
    let cluster = |storage: &str| {
        let cluster = r#""cluster": {"nodes": ["a:1", "b:1"], "hashKey": "loremipsumdolors"}"#;
        format!(r#"{{"storage": {{"rootDirectory": "/d"{storage}}}, {cluster}}}"#)
    };
    let s3 = r#", "storageDriver": {"name": "s3", "bucket": "b", "region": "r"}"#;
    only_problem(&cluster(&format!(r#"{s3}, "remoteCache": false"#)), "storage.cacheDriver", "metadata that all of them reach");
    let beside = format!(r#", "subPaths": {{"/a": {{"rootDirectory": "/e"{s3}, "remoteCache": false}}}}"#);
    only_problem(&cluster(&beside), r#"storage.subPaths["/a"].storageDriver"#, "either all remote or all local");
    assert!(crate::good(&cluster("")).warnings.iter().any(|warning| warning.message.contains("cannot be reached while it is down")));
}

#[test]
fn several_nodes_without_redis_are_warned_of_what_they_do_without() {
    let tables = r#""cacheTablename": "a", "repoMetaTablename": "b", "imageMetaTablename": "c", "versionTablename": "d""#;
    let stores = format!(
        r#""storageDriver": {{"name": "s3", "bucket": "b", "region": "r"}},
           "cacheDriver": {{"name": "dynamodb", "region": "r", {tables}}}"#
    );
    let warned = |cluster: &str| {
        let cluster = format!(r#"{{"hashKey": "0123456789abcdef", {cluster}}}"#);
        let text = format!(r#"{{"storage": {{"rootDirectory": "/d", "gc": false, {stores}}}, "cluster": {cluster}}}"#);
        good(&text).warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let [warning] = &warned(r#""nodes": ["a:1", "b:1"]"#)[..] else { panic!("no warning, or several") };
    assert!(warning.starts_with("cluster.redis: is absent") && warning.contains("do not survive its death"), "{warning}");
    assert_eq!(warned(r#""nodes": ["a:1", "b:1"], "redis": {"url": "redis://r"}"#), Vec::<String>::new());
    assert_eq!(warned(r#""nodes": ["a:1"]"#), Vec::<String>::new());
}

#[test]
fn keys_that_nobody_could_make_are_warned_of() {
    let warned = |file: &str| {
        let parsed = zot_config::Config::parse("config.json".as_ref(), file).unwrap();
        parsed.warnings.iter().map(ToString::to_string).filter(|warning| warning.contains("first key")).collect::<Vec<_>>()
    };
    let [alone] = &warned(&auth(r#"{"apikey": true}"#))[..] else { panic!("no warning") };
    assert!(alone.starts_with("http.auth.apikey: "), "{alone}");
    assert_eq!(warned(&auth(r#"{"apikey": true, "htpasswd": {"path": "/f"}}"#)), Vec::<String>::new());
    let certificates = r#"{"tls": {"cert": "/c", "key": "/k", "cacert": "/a"}, "auth": {"apikey": true}}"#;
    assert_eq!(warned(&http(certificates)), Vec::<String>::new());
}

#[test]
fn the_secret_of_claims_is_one() {
    let cluster = |keys: &str| format!(r#"{{"storage": {{"rootDirectory": "/d", "gc": false}}, "cluster": {{"nodes": ["a:1"], {keys}}}}}"#);
    only_problem(&cluster(r#""hashKey": "0123456789abcdef", "claimKey": "fifteen letters""#), "cluster.claimKey", "at least 16 characters");
    let both = r#""hashKey": "0123456789abcdef", "claimKey": "sixteen letters!!", "claimKeyFile": "/f""#;
    only_problem(&cluster(both), "cluster.claimKeyFile", "exclusive with `claimKey`");

    let warned = |keys: &str| good(&cluster(keys)).warnings.iter().map(|warning| warning.path.to_string()).collect::<Vec<_>>();
    assert_eq!(warned(r#""hashKey": "loremipsumdolors""#), ["cluster.hashKey"], "anybody knows it");
    assert_eq!(warned(r#""hashKey": "sixteen-letters!""#), ["cluster.hashKey"]);
    let replaced = r#""hashKey": "sixteen-letters!", "claimKey": "replace this by a secret of your own""#;
    assert_eq!(warned(replaced), ["cluster.claimKey"]);
    for own in [
        r#""hashKey": "0123456789abcdef""#,
        r#""hashKey": "loremipsumdolors", "claimKey": "a secret of one's own""#,
        r#""hashKey": "loremipsumdolors", "claimKeyFile": "/f""#,
    ] {
        assert_eq!(warned(own), Vec::<String>::new(), "{own}");
    }
    assert!(!format!("{:?}", good(&cluster(replaced))).contains("replace this by"), "it is not shown");
}

#[test]
fn the_secret_of_claims_may_be_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("claim.key");
    let of = |keys: &str| {
        let text =
            format!(r#"{{"storage": {{"rootDirectory": "/d"}}, "cluster": {{"nodes": ["a:1"], "hashKey": "0123456789abcdef"{keys}}}}}"#);
        good(&text).config.cluster.unwrap()
    };
    let in_file = of(&format!(r#", "claimKeyFile": {file:?}"#));
    assert!(in_file.claim_secret().unwrap_err().to_string().contains("claim.key"), "it is not there");
    std::fs::write(&file, " short \n").unwrap();
    assert!(in_file.claim_secret().unwrap_err().to_string().contains("at least 16 characters"));
    std::fs::write(&file, "a secret of one's own\n").unwrap();
    assert_eq!(in_file.claim_secret().unwrap().reveal(), "a secret of one's own");
    assert_eq!(of(r#", "claimKey": "another secret of ours""#).claim_secret().unwrap().reveal(), "another secret of ours");
    assert_eq!(of("").claim_secret().unwrap().reveal(), "0123456789abcdef");
}
