//! Users of an LDAP directory.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use zot_services::{
    Ldap,
    ldap::{ADMINS, DEVELOPERS, PEOPLE, SERVICE, SERVICE_PASSWORD},
};
use zot_tests::{
    Registry,
    shapes::{Settings, Shape},
    skip::skip,
    wait,
};

fn settings(directory: &Ldap) -> Value {
    json!({
        "address": "127.0.0.1",
        "port": directory.tls_port(),
        "caCert": directory.authority(),
        "baseDN": PEOPLE,
        "userAttribute": "uid",
        "userGroupAttribute": "memberOf",
        "bindDN": SERVICE,
        "bindPassword": SERVICE_PASSWORD,
    })
}

/// Runs a test in both shapes, with a directory of its own.
async fn in_each(name: &str, change: impl Fn(Settings, &Ldap) -> Settings, test: impl AsyncFn(&Registry, &mut Ldap)) {
    if let Err(reason) = Ldap::available() {
        return skip(name, &reason);
    }
    for shape in [Shape::AllInOne, Shape::Cluster] {
        let mut directory = Ldap::start().await;
        let settings = Settings::of(|given| change(given.set("/http/auth/ldap", settings(&directory)), &directory));
        shape.run(name, Some(settings), async |registry| test(&registry, &mut directory).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_of_the_directory_decide() {
    let policy = json!({"repositories": {"**": {"policies": [
        {"groups": [ADMINS], "actions": ["read", "create"]},
        {"groups": [DEVELOPERS], "actions": ["read"]},
    ]}}});
    in_each(
        "groups_of_the_directory_decide",
        |settings, _| settings.set("/http/accessControl", policy.clone()),
        async |registry, _| {
            let client = registry.client();
            let upload = client.post("/v2/a/blobs/uploads/").basic("alice", "pw-alice").await.expect(202).location();
            let digest = zot_tests::digest_of(b"of an administrator");
            client.finish_upload(&upload, &digest, b"of an administrator").basic("alice", "pw-alice").await.expect(201);
            client.get_blob("a", &digest).basic("bob", "pw-bob").await.expect(200);
            client.post("/v2/a/blobs/uploads/").basic("bob", "pw-bob").await.expect_error(403, "DENIED");
            client.get_blob("a", &digest).basic("twin", "pw-twin").await.expect_error(403, "DENIED");
            for (user, password) in [("alice", "wrong"), ("alice", ""), ("*", "pw-alice"), ("nobody", "pw-alice")] {
                client.get_blob("a", &digest).basic(user, password).await.expect_error(401, "UNAUTHORIZED");
            }
            client.get_blob("a", &digest).await.expect_error(401, "UNAUTHORIZED");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_away_is_not_a_wrong_password_and_holds_up_nobody_else() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("htpasswd");
    fs::write(&file, "carol:$2y$04$bfxtZ7r7dpXDnXt0cl0WiuCQcBZd/B2dO3zF6MVGzevFnBIG4Stdi\n").unwrap();
    in_each(
        "a_directory_that_is_away_is_not_a_wrong_password_and_holds_up_nobody_else",
        |settings, _| settings.set("/http/auth/htpasswd/path", file.to_str().unwrap()).set("/http/auth/credentialCache", "0s"),
        async |registry, directory| {
            let client = registry.client();
            let ask = async |user: &str, password: &str| client.get("/v2/").basic(user, password).await;
            for user in ["alice", "carol"] {
                ask(user, &format!("pw-{user}")).await.expect(200);
                ask(user, "wrong").await.expect(401);
            }
            directory.kill();
            for password in ["pw-alice", "wrong"] {
                let refused = ask("alice", password).await.expect_error(503, "UNAVAILABLE");
                assert_eq!(refused.header("retry-after"), "5");
            }
            ask("carol", "pw-carol").await.expect(200);
            directory.restart().await;
            wait::until("alice is let in again", async || ask("alice", "pw-alice").await.status == 200).await;
            ask("alice", "wrong").await.expect(401);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_let_in_a_moment_ago_does_not_notice() {
    in_each(
        "who_was_let_in_a_moment_ago_does_not_notice",
        |settings, _| settings.set("/http/auth/credentialCache", "1h"),
        async |registry, directory| {
            let client = registry.client();
            for _ in 0..6 {
                client.get("/v2/").basic("alice", "pw-alice").await.expect(200);
            }
            directory.kill();
            for _ in 0..6 {
                client.get("/v2/").basic("alice", "pw-alice").await.expect(200);
                client.get("/v2/").basic("bob", "pw-bob").await.expect(503);
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_gone_at_the_next_login_grants_nothing_not_even_to_a_key() {
    let policy = json!({"repositories": {"**": {"policies": [{"groups": [ADMINS], "actions": ["read", "create"]}]}}});
    in_each(
        "a_group_that_is_gone_at_the_next_login_grants_nothing_not_even_to_a_key",
        |settings, _| {
            let settings = settings.set("/http/accessControl", policy.clone()).set("/http/auth/apikey", true);
            settings.set("/http/auth/credentialCache", "0s")
        },
        async |registry, directory| {
            let client = registry.client();
            let made = client.post("/zot/auth/apikey").basic("alice", "pw-alice").body("{}").await.expect(201).json();
            let key = made["apiKey"].as_str().unwrap();
            let push = async |password: &str| client.post("/v2/a/blobs/uploads/").basic("alice", password).await.status.as_u16();
            for password in ["pw-alice", "pw-alice", key, key] {
                assert_eq!(push(password).await, 202);
            }
            directory.set_member(ADMINS, &format!("uid=bob,{PEOPLE}"));
            // Her next login tells; each gateway hears of it for her keys within seconds.
            assert_eq!((push("pw-alice").await, push("pw-alice").await), (403, 403));
            wait::until("no gateway gives her key the group", async || push(key).await == 403 && push(key).await == 403).await;
            client.post("/v2/a/blobs/uploads/").basic("bob", "pw-bob").await.expect(202);
        },
    )
    .await;
}
