//! Where passwords are known, and for how long they are remembered.

use std::time::Duration;

use zot_config::http::auth::BindCredentials;

use crate::good;
use crate::rules::{auth, only_problem};

#[test]
fn a_directory_is_described_as_in_2023_and_as_in_2024() {
    let described = |bind: &str| {
        auth(&format!(
            r#"{{"failDelay": 5, "ldap": {{"address": "ldap.example.org", "port": 389, "startTLS": false, {bind},
                "baseDN": "ou=Users,dc=example,dc=org", "userAttribute": "uid", "skipVerify": false, "subtreeSearch": true}}}}"#
        ))
    };
    let inline = good(&described(r#""bindDN": "cn=ldap-searcher,ou=Users,dc=example,dc=org", "bindPassword": "ldap-searcher-password""#));
    let credentials = inline.config.http.auth.ldap.unwrap().bind_credentials().unwrap();
    assert_eq!(credentials.bind_dn.as_deref(), Some("cn=ldap-searcher,ou=Users,dc=example,dc=org"));
    assert_eq!(credentials.bind_password.unwrap().reveal(), "ldap-searcher-password");
    let file = good(&described(r#""credentialsFile": "config-ldap-credentials.json""#));
    assert_eq!(file.config.http.auth.ldap.unwrap().credentials_file.unwrap().to_str(), Some("config-ldap-credentials.json"));
    assert_eq!((inline.warnings, file.warnings), (vec![], vec![]));
}

#[test]
fn what_weakens_a_directory_is_warned_of() {
    let warned = |keys: &str| {
        let text = format!(r#"{{"ldap": {{"address": "l", "port": 389, "baseDN": "dc=x", "userAttribute": "uid", {keys}}}}}"#);
        good(&auth(&text)).warnings.iter().map(|warning| warning.path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(warned(r#""insecure": true"#), ["http.auth.ldap.insecure"]);
    assert_eq!(warned(r#""insecure": true, "startTLS": true"#), Vec::<String>::new());
    assert_eq!(warned(r#""skipVerify": true"#), ["http.auth.ldap.skipVerify"]);
}

#[test]
fn passwords_are_remembered_and_refusals_held_back_for_a_bounded_time() {
    let auth_of = |section: &str| good(&auth(section)).config.http.auth;
    let defaults = auth_of("{}");
    assert_eq!((defaults.credential_cache, defaults.fail_delay()), (Duration::from_secs(60), Duration::ZERO));
    assert_eq!(auth_of(r#"{"credentialCache": "0s"}"#).credential_cache, Duration::ZERO);
    only_problem(&auth(r#"{"credentialCache": "61m"}"#), "http.auth.credentialCache", "must be at most 1h");
    assert_eq!(auth_of(r#"{"failDelay": 5}"#).fail_delay(), Duration::from_secs(5));
    assert_eq!(auth_of(r#"{"failDelay": -5}"#).fail_delay(), Duration::ZERO);
    let long = good(&auth(r#"{"failDelay": 3600}"#));
    assert_eq!((long.config.http.auth.fail_delay(), long.warnings.len()), (Duration::from_secs(60), 1));
}

#[test]
fn credentials_in_a_file_are_exactly_two() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        BindCredentials::load(&path).map_err(|error| error.to_string())
    };
    for (name, text) in [("a.json", r#"{"bindDN": "cn=a", "bindPassword": "b"}"#), ("a.yaml", "bindDN: cn=a\nbindPassword: b\n")] {
        let loaded = load(name, text).unwrap();
        assert_eq!((loaded.bind_dn.as_deref(), loaded.bind_password.unwrap().reveal()), (Some("cn=a"), "b"));
    }
    for (text, said) in [
        (r#"{"bindDN": "cn=a"}"#, "bindPassword: must be set"),
        (r#"{"bindDN": "", "bindPassword": "b"}"#, "bindDN: must be set"),
        (r#"{"bindDN": "cn=a", "bindPassword": ""}"#, "bindPassword: must be set"),
        (r#"{"bindDN": "cn=a", "bindPassword": "SECRET", "url": "x"}"#, "url: unknown key"),
        ("[]", "expected an object"),
        ("{}", "bindDN: must be set"),
    ] {
        let error = load("a.json", text).unwrap_err();
        assert!(error.contains(said) && !error.contains("SECRET"), "{text}: {error}");
    }
}
