//! Where sessions are kept, what their keys are, and how parties are named.

use std::fs;

use zot_config::{
    Part,
    http::auth::{SessionDriver, SessionPlace},
};

use crate::{good, http, problems};

const OPENID: &str = r#"{"providers": {"oidc": {"clientid": "a", "issuer": "https://a.example", "scopes": ["openid"]}}}"#;

fn auth(section: &str) -> String {
    http(&format!(r#"{{"auth": {section}}}"#))
}

fn in_cluster(auth: &str, cluster: &str) -> String {
    let cluster = format!(r#""cluster": {{"nodes": ["n1:9090"], "hashKey": "loremipsumdolors"{cluster}}}"#);
    format!(r#"{{"storage": {{"rootDirectory": "/tmp/zot", "gc": false}}, "http": {{"auth": {auth}}}, {cluster}}}"#)
}

fn place(text: &str) -> SessionPlace {
    let config = good(text).config;
    config.http.auth.session_place(config.cluster.as_ref())
}

#[test]
fn sessions_are_in_files_of_one_process_and_in_redis_of_several() {
    assert_eq!(place(&auth("{}")), SessionPlace::Files);
    assert_eq!(place(&auth(r#"{"sessionDriver": {"name": "local"}}"#)), SessionPlace::Files);
    let prefix = |text: &str| match place(text) {
        SessionPlace::Redis(redis) => redis.key_prefix,
        other => panic!("{other:?}"),
    };
    assert_eq!(prefix(&auth(r#"{"sessionDriver": {"name": "redis", "url": "redis://h"}}"#)).as_deref(), Some("zotsession"));
    assert_eq!(prefix(&auth(r#"{"sessionDriver": {"name": "redis", "url": "redis://h", "keyprefix": "x"}}"#)).as_deref(), Some("x"));
    let shared = r#", "redis": {"url": "redis://h"}"#;
    assert_eq!(prefix(&in_cluster(&format!(r#"{{"openid": {OPENID}}}"#), shared)), None);
    assert_eq!(place(&in_cluster("{}", "")), SessionPlace::Nowhere);
}

#[test]
fn a_cluster_without_redis_cannot_have_what_needs_sessions() {
    for (section, path) in [
        (format!(r#"{{"openid": {OPENID}}}"#), "http.auth.openid"),
        (r#"{"sessionDriver": {"name": "local"}}"#.to_owned(), "http.auth.sessionDriver"),
        (r#"{"sessionKeysFile": "/keys.json"}"#.to_owned(), "http.auth.sessionKeysFile"),
    ] {
        let said = problems(&in_cluster(&section, ""));
        assert!(said.iter().any(|problem| problem.starts_with(&format!("{path}: ")) && problem.contains("`cluster.redis`")), "{said:?}");
    }
    assert_eq!(problems(&in_cluster(r#"{"sessionDriver": {"name": "redis", "url": "redis://h"}}"#, "")), Vec::<String>::new());
    let password = in_cluster(r#"{"htpasswd": {"path": "/etc/htpasswd"}}"#, "");
    assert_eq!(problems(&password), Vec::<String>::new(), "passwords need no session");
}

#[test]
fn the_driver_is_named_as_it_was() {
    let driver = good(&auth(r#"{"sessionDriver": {"name": "local"}}"#)).config.http.auth.session_driver;
    assert_eq!(driver, Some(SessionDriver::Local));
    for (driver, message) in [
        ("{}", "invalid server config: must provide session driver name!"),
        (r#"{"name": "badDriver"}"#, "invalid server config: session store driver badDriver is not allowed!"),
    ] {
        let said = problems(&auth(&format!(r#"{{"sessionDriver": {driver}}}"#)));
        assert!(said.iter().any(|problem| problem.contains(message)), "{said:?}");
    }
    let both = auth(r#"{"sessionDriver": {"name": "redis", "url": "redis://h"}, "sessionKeysFile": "/k.json"}"#);
    assert!(problems(&both).iter().any(|problem| problem.contains("session keys not supported when redis session driver is used!")));
}

#[test]
fn parties_have_urls() {
    for (party, path) in [
        (r#""oidc": {"clientid": "a", "issuer": "a.example", "scopes": ["openid"]}"#, ".issuer"),
        (r#""github": {"clientid": "a", "scopes": ["user"], "authurl": "https://a.example/a"}"#, r#"["github"]"#),
        (r#""github": {"clientid": "a", "scopes": ["user"], "authurl": "javascript:", "tokenurl": "https://a.example"}"#, ".authurl"),
    ] {
        let said = problems(&auth(&format!(r#"{{"openid": {{"providers": {{{party}}}}}}}"#)));
        assert!(said.iter().any(|problem| problem.split(": ").next().unwrap().ends_with(path)), "{said:?}");
    }
    let origin = auth(
        r#"{"openid": {"callbackAllowOrigins": ["ui.example"], "providers": {"oidc": {"clientid": "a", "issuer": "https://a", "scopes": ["openid"]}}}}"#,
    );
    assert!(problems(&origin)[0].starts_with("http.auth.openid.callbackAllowOrigins[0]: "));
}

#[test]
fn files_beside_the_configuration_are_looked_into_and_their_secrets_not_shown() {
    let room = tempfile::tempdir().unwrap();
    let (keys, credentials) = (room.path().join("keys"), room.path().join("credentials"));
    let openid = format!(
        r#"{{"providers": {{"oidc": {{"credentialsFile": "{}", "issuer": "https://a.example", "scopes": ["openid"]}}}}}}"#,
        credentials.display()
    );
    let config = good(&auth(&format!(r#"{{"sessionKeysFile": "{}", "openid": {openid}}}"#, keys.display()))).config;
    let said = |written: &str, named: &str| {
        fs::write(&keys, written).unwrap();
        fs::write(&credentials, named).unwrap();
        let problems = config.check_environment(Part::Gateway).into_iter().map(|problem| problem.to_string());
        problems.filter(|problem| problem.starts_with("http.auth")).collect::<Vec<_>>()
    };
    let (good_keys, good_credentials) = (r#"{"hashKey": "hunter2-hunter2"}"#, r#"{"clientid": "a", "clientsecret": "hunter2"}"#);
    assert_eq!(said(good_keys, good_credentials), Vec::<String>::new());
    assert_eq!(said(r#"hashKey: hunter2"#, "clientid: a"), Vec::<String>::new(), "the format is found");
    for keys in ["{}", r#"{"hashKey": ""}"#, r#"{"hashKey": "hunter2", "encryptKey": "short"}"#, r#"{"hashkeys": "hunter2"}"#, "[]"] {
        let said = said(keys, good_credentials);
        assert!(said.len() == 1 && said[0].starts_with("http.auth.sessionKeysFile: ") && !said[0].contains("hunter2"), "{keys}: {said:?}");
    }
    for credentials in ["{}", r#"{"clientsecret": "hunter2"}"#, r#"{"clientid": "a", "clientsecrets": "hunter2"}"#] {
        let said = said(good_keys, credentials);
        assert!(said.len() == 1 && said[0].contains("credentialsFile") && !said[0].contains("hunter2"), "{credentials}: {said:?}");
    }
}

#[test]
fn browsers_need_a_place_to_come_back_to() {
    let with = |more: &str| http(&format!(r#"{{"auth": {{"openid": {OPENID}}}{more}}}"#));
    assert!(problems(&with(r#", "externalUrl": "registry.example.org""#))[0].starts_with("http.externalUrl: "));
    let warned = |more: &str| good(&with(more)).warnings.iter().any(|warning| warning.path.as_str() == "http.externalUrl");
    assert!(warned(r#", "address": "0.0.0.0""#) && warned(r#", "port": "0""#));
    assert!(!warned("") && !warned(r#", "address": "0.0.0.0", "externalUrl": "https://registry.example.org""#));
}
