//! Whatever proves who somebody is, or lets the registry in elsewhere, is in no log of any process, however much is logged.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use zot_services::{
    Ldap, Redis,
    ldap::{PEOPLE, SERVICE, SERVICE_PASSWORD},
    redis,
    token_service::TokenService,
};
use zot_tests::{
    Registry,
    shapes::{Settings, Shape},
    skip::skip,
    wait,
};

const CLIENT_SECRET: &str = "c4n4ry-of-the-client";
const HASH_KEY: &str = "c4n4ry-of-hashes";
const WRONG: &str = "c4n4ry-that-is-wrong";
const SIGNING_KEY: &str = "c4n4ry-c4n4ry-c4n4ry-c4n4ry-32-b";

/// Everything that a registry is told, and where the files are that tell it.
fn settings(shape: Shape, folder: &TempDir, (directory, redis): (&Ldap, &Redis), tokens: &TokenService) -> Settings {
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("keys.json"), json!({"hashKey": SIGNING_KEY}).to_string()).unwrap();
    let settings = match shape {
        Shape::AllInOne => Settings::default().set("/http/auth/sessionKeysFile", at("keys.json")),
        Shape::Cluster => Settings::default()
            .set("/http/auth/sessionDriver", json!({"name": "redis", "url": redis.url()}))
            .set("/cluster/redis", json!({"url": redis.url()}))
            .set("/cluster/hashKey", HASH_KEY),
    };
    settings
        .set("/log/level", "trace")
        .set("/log/audit", at("audit.log"))
        .set("/http/auth/htpasswd/path", super::matrix::PASSWORDS.1.to_str().unwrap())
        .set("/http/auth/ldap", ldap(directory))
        .set("/http/auth/bearer", tokens.section())
        .set("/http/auth/apikey", true)
        .set("/http/externalUrl", "http://registry.test")
        .set(
            "/http/auth/openid",
            json!({"providers": {"oidc": {
                "clientid": "registry", "clientsecret": CLIENT_SECRET, "issuer": "http://127.0.0.1:1", "scopes": ["openid"],
            }}}),
        )
}

fn ldap(directory: &Ldap) -> Value {
    json!({
        "address": "127.0.0.1", "port": directory.tls_port(), "caCert": directory.authority(), "baseDN": PEOPLE, "userAttribute": "uid",
        "bindDN": SERVICE, "bindPassword": SERVICE_PASSWORD,
    })
}

/// Uses every way in, rightly and wrongly, and gives what of it is secret.
async fn use_all(registry: &Registry, tokens: &TokenService) -> Vec<String> {
    let client = registry.client();
    let pages = ("x-zot-api-client", "zot-ui");
    client.get("/v2/").basic("root", "secret").await.expect(200);
    client.get("/v2/").basic("alice", "pw-alice").await.expect(200);
    for user in ["alice", "root", "nobody"] {
        client.get("/v2/").basic(user, WRONG).await.expect(401);
        client.post("/v2/a/blobs/uploads/").basic(user, WRONG).await.expect(401);
    }
    let key = client.post("/zot/auth/apikey").basic("alice", "pw-alice").body("{}").await.expect(201).json();
    let key = key["apiKey"].as_str().unwrap().to_owned();
    let token = tokens.issue("team/app", &["pull", "push"]);
    let session = client.get("/v2/").basic("alice", "pw-alice").header(pages.0, pages.1).await.expect(200);
    let cookie = session.header("set-cookie").split(';').next().unwrap().to_owned();
    // Twice, so that each gateway of two has its turn; also where it does not belong.
    for _ in 0..2 {
        client.get("/v2/").basic("alice", &key).await.expect(200);
        client.get("/v2/").header("authorization", &format!("Bearer {token}")).await.expect(200);
        client.get("/v2/").header("cookie", &cookie).header(pages.0, pages.1).await.expect(200);
        client.get("/v2/").header("authorization", &format!("Bearer {key}")).await.expect(401);
        client.get("/v2/").header("authorization", &format!("Bearer {token}x")).await.expect(401);
        client.get("/v2/").basic("alice", &token).await.expect(401);
        client.get("/v2/").basic(&key, "").await.expect(401);
        client.get("/v2/").header("authorization", &format!("Unheard-of {key}")).await.expect(401);
        client.get(&format!("/v2/?token={token}&access_token={token}&password={WRONG}")).await.expect(401);
        client.get(&format!("/zot/auth/callback/oidc?code={WRONG}&state={WRONG}")).await;
        client.get("/zot/auth/login?provider=oidc").await.expect(503);
    }
    client.post("/zot/auth/logout").header("cookie", &cookie).header(pages.0, pages.1).await.expect(200);
    let signature = token.rsplit('.').next().unwrap().to_owned();
    vec![key, signature, cookie.split_once('=').unwrap().1.to_owned()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_any_log() {
    if let Err(reason) = Ldap::available().and_then(|()| Redis::available()) {
        return skip("access::canary::no_secret_is_in_any_log", &reason);
    }
    let (directory, redis) = tokio::join!(Ldap::start(), Redis::start_with_password());
    let tokens = TokenService::start();
    for shape in [Shape::AllInOne, Shape::Cluster] {
        let folder = TempDir::new().unwrap();
        let registry = shape.start(settings(shape, &folder, (&directory, &redis), &tokens)).await;
        let mut secrets = use_all(&registry, &tokens).await;
        for (user, password) in [("alice", "pw-alice"), ("root", "secret"), ("alice", WRONG)] {
            secrets.push(STANDARD.encode(format!("{user}:{password}")));
        }
        // Not `secret`: the word is in names of keys.
        let known = ["pw-alice", WRONG, CLIENT_SECRET, HASH_KEY, SIGNING_KEY, SERVICE_PASSWORD, redis::PASSWORD, "p%40ss", "$5$"];
        secrets.extend(known.map(str::to_owned));
        for gateway in registry.gateways() {
            gateway.get("/v2/the-last-request").await;
        }
        let last = || registry.logs().matches("/v2/the-last-request").count() >= registry.gateways().len();
        wait::until("everything is logged", async || last()).await;
        let logs = registry.logs();
        let audit = fs::read_to_string(folder.path().join("audit.log")).unwrap();
        // Where there was a secret it was masked, and not left out.
        assert!(logs.contains("******"), "{shape:?}");
        assert!(logs.contains(r#""level":"debug""#) && audit.contains("/v2/a/blobs/uploads/"), "{shape:?}: much is logged");
        for (secret, line) in secrets.iter().flat_map(|secret| logs.lines().chain(audit.lines()).map(move |line| (secret, line))) {
            assert!(!line.contains(secret.as_str()), "{shape:?}: {secret} is in {line}");
        }
    }
}
