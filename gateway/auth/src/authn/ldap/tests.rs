//! A real directory: who is let in over which connection, and what happens while it is away.

use std::{fs, path::PathBuf};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use zot_services::{
    ldap::{ADMINS, DEVELOPERS, Ldap as Server, ODD_NAME, PEOPLE, SERVICE, SERVICE_PASSWORD},
    skip, wait,
};

use super::*;

const POLL: Duration = Duration::from_millis(5);

/// The directory, unless it cannot be had here.
async fn server(test: &str) -> Option<Server> {
    if let Err(reason) = Server::available() {
        skip::skip(test, &reason);
        return None;
    }
    Some(Server::start().await)
}

/// In the clear, with the service's name in the configuration.
fn plain(server: &Server) -> Settings {
    Settings {
        address: "127.0.0.1".to_owned(),
        port: server.port(),
        insecure: true,
        base_dn: PEOPLE.to_owned(),
        user_attribute: "uid".to_owned(),
        user_group_attribute: Some("memberOf".to_owned()),
        bind_dn: Some(SERVICE.to_owned()),
        bind_password: Some(Secret::new(SERVICE_PASSWORD)),
        ..Settings::default()
    }
}

fn encrypted(server: &Server, start_tls: bool) -> Settings {
    let port = if start_tls { server.port() } else { server.tls_port() };
    Settings { insecure: false, start_tls, port, ca_cert: Some(server.authority()), ..plain(server) }
}

fn open(settings: &Settings) -> Arc<Ldap> {
    Ldap::open(settings, POLL, &Tasks::new()).unwrap()
}

/// The name and groups of somebody who is let in, or nothing; fails if the directory does not answer.
async fn login(ldap: &Arc<Ldap>, user: &str, password: &str) -> Option<(String, Vec<String>)> {
    match ldap.check(user, &Secret::new(password)).await {
        Verdict::Proved(proof) => {
            assert_eq!(proof.method, Method::Ldap);
            Some((proof.user.unwrap().to_string(), proof.groups.iter().map(ToString::to_string).collect()))
        }
        Verdict::Wrong => None,
        Verdict::Unavailable { what, source } => panic!("{what}: {}", chain(&*source)),
    }
}

/// Why the directory cannot be asked.
async fn unavailable(ldap: &Arc<Ldap>, user: &str, password: &str) -> String {
    match ldap.check(user, &Secret::new(password)).await {
        Verdict::Unavailable { what, source } => format!("{what}: {}", chain(&*source)),
        verdict => panic!("{verdict:?}"),
    }
}

#[tokio::test]
async fn whoever_proves_it_is_let_in_with_their_groups() {
    let Some(server) = server("whoever_proves_it_is_let_in_with_their_groups").await else { return };
    let ldap = open(&plain(&server));
    let (name, mut groups) = login(&ldap, "alice", "pw-alice").await.unwrap();
    groups.sort();
    assert_eq!((name.as_str(), groups), ("alice", vec![ADMINS.to_owned(), DEVELOPERS.to_owned()]));
    assert_eq!(login(&ldap, "bob", "pw-bob").await, Some(("bob".to_owned(), vec![DEVELOPERS.to_owned()])));
    assert_eq!(login(&ldap, "ALICE", "pw-alice").await.unwrap().0, "alice", "called as the directory writes it");
    assert_eq!(login(&ldap, "twin", "pw-twin").await, Some(("twin".to_owned(), vec![])));
}

#[tokio::test]
async fn whoever_does_not_is_not() {
    let Some(server) = server("whoever_does_not_is_not").await else { return };
    let ldap = open(&plain(&server));
    for (user, password) in [("alice", "pw-bob"), ("alice", ""), ("alice", "PW-ALICE"), ("nobody", "pw-alice"), ("", "pw-alice"), ("", "")]
    {
        assert_eq!(login(&ldap, user, password).await, None, "{user}:{password}");
    }
    assert!(login(&ldap, "alice", "pw-alice").await.is_some(), "the directory answers");
}

#[tokio::test]
async fn names_made_of_filters_find_nobody_else() {
    let Some(server) = server("names_made_of_filters_find_nobody_else").await else { return };
    let ldap = open(&plain(&server));
    for name in [
        "*",
        "a*",
        "ali*e",
        "alice)(uid=*",
        "alice)(|(uid=*",
        "*)(objectClass=*",
        "*))(|(uid=*",
        "alice)(userPassword=*",
        "alice\0",
        "\0",
        r"\2a",
        r"\61lice",
        "alice,ou=people",
        "uid=alice,ou=people,dc=example,dc=org",
        "(uid=alice)",
        "&(uid=alice)",
        "alice\n",
        "\u{202e}ecila",
    ] {
        for password in ["pw-alice", "pw-bob", "*", ""] {
            assert_eq!(login(&ldap, name, password).await, None, "{name:?}");
        }
    }
    assert_eq!(login(&ldap, ODD_NAME, "pw-odd").await.unwrap().0, ODD_NAME, "odd names are names");
}

#[tokio::test]
async fn only_who_is_one_and_meets_the_condition_is_found() {
    let Some(server) = server("only_who_is_one_and_meets_the_condition_is_found").await else { return };
    let by_mail = open(&Settings { user_attribute: "mail".to_owned(), ..plain(&server) });
    assert_eq!(login(&by_mail, "twins@example.org", "pw-twin").await, None, "two share it");
    for filter in ["employeeType=staff", "(employeeType=staff)"] {
        let staff = open(&Settings { user_filter: Some(filter.to_owned()), ..plain(&server) });
        assert!(login(&staff, "alice", "pw-alice").await.is_some(), "{filter}");
        assert_eq!(login(&staff, "bob", "pw-bob").await, None, "{filter}");
    }
}

#[tokio::test]
async fn levels_below_are_looked_through_if_wanted() {
    let Some(server) = server("levels_below_are_looked_through_if_wanted").await else { return };
    assert_eq!(login(&open(&plain(&server)), "carl", "pw-carl").await, None);
    let below = open(&Settings { subtree_search: true, ..plain(&server) });
    assert!(login(&below, "carl", "pw-carl").await.is_some());
    assert!(login(&below, "alice", "pw-alice").await.is_some());
}

#[tokio::test]
async fn connections_are_encrypted_in_either_way() {
    let Some(server) = server("connections_are_encrypted_in_either_way").await else { return };
    for start_tls in [false, true] {
        let ldap = open(&encrypted(&server, start_tls));
        assert!(login(&ldap, "alice", "pw-alice").await.is_some(), "{start_tls}");
        assert_eq!(login(&ldap, "alice", "wrong").await, None, "{start_tls}");
        let insecure = open(&Settings { insecure: start_tls, ..encrypted(&server, start_tls) });
        assert!(login(&insecure, "alice", "pw-alice").await.is_some(), "StartTLS counts whatever `insecure` says");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_prove_who_it_is_is_told_no_password() {
    let Some(server) = server("a_directory_that_cannot_prove_who_it_is_is_told_no_password").await else { return };
    let folder = TempDir::new().unwrap();
    let stranger = folder.path().join("ca.pem");
    let key = KeyPair::generate().unwrap();
    fs::write(&stranger, CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap().pem()).unwrap();
    for start_tls in [false, true] {
        let wrong = Settings { ca_cert: Some(stranger.clone()), ..encrypted(&server, start_tls) };
        let reason = unavailable(&open(&wrong), "alice", "pw-alice").await;
        assert!(reason.contains("connect to the directory") && reason.contains("certificate"), "{reason}");
        let unknown = Settings { ca_cert: None, ..encrypted(&server, start_tls) };
        assert!(unavailable(&open(&unknown), "alice", "pw-alice").await.contains("certificate"));
        // The certificate is for the address alone.
        let misnamed = Settings { address: "localhost".to_owned(), ..encrypted(&server, start_tls) };
        assert!(unavailable(&open(&misnamed), "alice", "pw-alice").await.contains("certificate"));
        let unverified = Settings { skip_verify: true, ca_cert: None, ..encrypted(&server, start_tls) };
        assert!(login(&open(&unverified), "alice", "pw-alice").await.is_some());
    }
    let plain_port = Settings { port: server.port(), ..encrypted(&server, false) };
    unavailable(&open(&plain_port), "alice", "pw-alice").await;
}

#[tokio::test]
async fn a_directory_that_is_away_is_no_wrong_password_and_is_found_again() {
    let Some(mut server) = server("a_directory_that_is_away_is_no_wrong_password_and_is_found_again").await else { return };
    let ldap = open(&plain(&server));
    assert!(login(&ldap, "alice", "pw-alice").await.is_some());
    server.kill();
    for password in ["pw-alice", "wrong"] {
        let reason = unavailable(&ldap, "alice", password).await;
        assert!(reason.starts_with("the LDAP directory: connect to the directory: "), "{reason}");
    }
    server.restart().await;
    assert!(login(&ldap, "alice", "pw-alice").await.is_some());
    assert_eq!(login(&ldap, "alice", "wrong").await, None);
}

#[tokio::test]
async fn a_connection_that_was_cut_while_idle_costs_nobody_a_login() {
    let Some(mut server) = server("a_connection_that_was_cut_while_idle_costs_nobody_a_login").await else { return };
    let ldap = open(&plain(&server));
    assert!(login(&ldap, "alice", "pw-alice").await.is_some());
    server.restart().await;
    assert!(login(&ldap, "alice", "pw-alice").await.is_some());
}

#[tokio::test]
async fn a_service_that_is_not_let_in_is_no_wrong_password() {
    let Some(server) = server("a_service_that_is_not_let_in_is_no_wrong_password").await else { return };
    let wrong = Settings { bind_password: Some(Secret::new("canary")), ..plain(&server) };
    let reason = unavailable(&open(&wrong), "alice", "pw-alice").await;
    assert!(reason.contains("bind to look users up") && !reason.contains("canary"), "{reason}");
    let nobody = Settings { bind_dn: None, bind_password: None, ..plain(&server) };
    assert!(unavailable(&open(&nobody), "alice", "pw-alice").await.contains("look a user up"));
}

#[tokio::test]
async fn many_log_in_at_the_same_time() {
    let Some(server) = server("many_log_in_at_the_same_time").await else { return };
    let ldap = open(&encrypted(&server, true));
    let logins: Vec<_> = (0..64)
        .map(|number| {
            let ldap = Arc::clone(&ldap);
            let (user, password) = [("alice", "pw-alice"), ("bob", "pw-bob"), ("bob", "wrong")][number % 3];
            tokio::spawn(async move { (password == "wrong") == login(&ldap, user, password).await.is_none() })
        })
        .collect();
    for right in logins {
        assert!(right.await.unwrap());
    }
}

#[tokio::test]
async fn a_changed_file_of_credentials_is_taken_up() {
    let Some(server) = server("a_changed_file_of_credentials_is_taken_up").await else { return };
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ldap.json");
    let write = |password: &str| {
        let text = serde_json::json!({"bindDN": SERVICE, "bindPassword": password}).to_string();
        fs::write(folder.path().join("new"), text).unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
    };
    write(SERVICE_PASSWORD);
    let settings = Settings { bind_dn: None, bind_password: None, credentials_file: Some(file.clone()), ..plain(&server) };
    let ldap = open(&settings);
    assert!(login(&ldap, "alice", "pw-alice").await.is_some());
    let before = ldap.version();
    fs::write(&file, "{").unwrap();
    server.set_password(SERVICE, "changed");
    assert!(login(&ldap, "alice", "pw-alice").await.is_some(), "what cannot be used changes nothing");
    write("changed");
    wait::until("the file is read again", async || ldap.version() > before).await;
    assert!(login(&ldap, "alice", "pw-alice").await.is_some());
}

#[test]
fn files_and_filters_that_cannot_be_used_are_named() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let settings = Settings {
        base_dn: PEOPLE.to_owned(),
        user_attribute: "uid".to_owned(),
        user_filter: Some("(uid=".to_owned()),
        ca_cert: Some(write("ca.pem", "nothing")),
        credentials_file: Some(write("credentials.json", r#"{"bindDN": "cn=a", "password": "canary"}"#)),
        ..Settings::default()
    };
    let mut config = Config::default();
    config.http.auth.ldap = Some(settings.clone());
    let problems = check(&config);
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["http.auth.ldap.userFilter", "http.auth.ldap.caCert", "http.auth.ldap.credentialsFile"], "{problems:?}");
    assert!(problems[2].message.contains("bindPassword: must be set"), "{problems:?}");
    assert!(!format!("{problems:?}").contains("canary"));
    assert!(Ldap::open(&settings, POLL, &Tasks::new()).is_err());
}
