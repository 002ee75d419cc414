//! A registry that loses its Redis: sessions begin anew, and nobody else notices.

use std::fs;

use serde_json::json;
use tempfile::TempDir;
use zot_services::{Redis, token_service::TokenService};
use zot_tests::{
    Client, Image, digest_of,
    shapes::{Settings, Shape},
    skip::skip,
    wait,
};

const PAGES: (&str, &str) = ("x-zot-api-client", "zot-ui");
/// A line that lets alice in by `pw-alice`, with the least cost.
const ALICE: &str = "alice:$2y$04$4QX9o67odHjqIMEQDgiXM.9tgvuk5ZVS/m.qkaBHMQlF3jdl.4e5.\n";

/// Logs in on the pages, and gives the cookie; none if no session could be begun.
async fn log_in(gateway: &Client) -> Option<String> {
    let reply = gateway.get("/v2/").basic("alice", "pw-alice").header(PAGES.0, PAGES.1).await.expect(200);
    let cookies = reply.all("set-cookie");
    cookies.first().map(|cookie| cookie.split(';').next().unwrap().to_owned()).filter(|cookie| !cookie.ends_with('='))
}

async fn with_session(gateway: &Client, cookie: &str) -> u16 {
    gateway.get("/v2/team/app/tags/list").header("cookie", cookie).header(PAGES.0, PAGES.1).await.status.as_u16()
}

/// Pulls with each way of proving who one is but sessions.
async fn everybody_else_pulls(gateway: &Client, key: &str, token: &str, blob: &str) {
    for path in ["/v2/team/app/manifests/v1".to_owned(), format!("/v2/team/app/blobs/{blob}")] {
        gateway.get(&path).basic("alice", "pw-alice").await.expect(200);
        gateway.get(&path).basic("alice", key).await.expect(200);
        gateway.get(&path).header("authorization", &format!("Bearer {token}")).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_only_sessions_end() {
    if let Err(reason) = Redis::available() {
        return skip("login::redis_lost::without_redis_only_sessions_end", &reason);
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("htpasswd");
    fs::write(&file, ALICE).unwrap();
    for shape in [Shape::AllInOne, Shape::Cluster] {
        let (mut redis, tokens) = (Redis::start().await, TokenService::start());
        let settings = Settings::default()
            .set("/http/auth/htpasswd/path", file.to_str().unwrap())
            .set("/http/auth/apikey", true)
            .set("/http/auth/bearer", tokens.section())
            // In a cluster counted in Redis as well.
            .set("/http/ratelimit/rate", 1_000_000);
        let settings = match shape {
            Shape::AllInOne => settings.set("/http/auth/sessionDriver", json!({"name": "redis", "url": redis.url()})),
            Shape::Cluster => settings.set("/cluster/redis", json!({"url": redis.url()})),
        };
        let registry = shape.start(settings).await;
        lose(&mut redis, &registry.gateways(), &tokens.issue("team/app", &["pull", "push"])).await;
    }
}

async fn lose(redis: &mut Redis, gateways: &[Client], token: &str) {
    let image = Image::small(1);
    let bearer = format!("Bearer {token}");
    for blob in image.blobs() {
        let upload = gateways[0].post("/v2/team/app/blobs/uploads/").header("authorization", &bearer).await.expect(202).location();
        gateways[0].finish_upload(&upload, &digest_of(blob), blob).header("authorization", &bearer).await.expect(201);
    }
    gateways[0].put_manifest("team/app", "v1", &image.manifest).header("authorization", &bearer).await.expect(201);
    let blob = digest_of(image.blobs().next().unwrap());
    let made = gateways[0].post("/zot/auth/apikey").basic("alice", "pw-alice").body("{}").await.expect(201).json();
    let key = made["apiKey"].as_str().unwrap();
    let cookie = log_in(&gateways[0]).await.expect("a session");
    for gateway in gateways {
        assert_eq!(with_session(gateway, &cookie).await, 200);
        everybody_else_pulls(gateway, key, token, &blob).await;
    }

    redis.kill();
    for gateway in gateways {
        assert_eq!(with_session(gateway, &cookie).await, 503, "whether there is a session cannot be told");
        everybody_else_pulls(gateway, key, token, &blob).await;
        // Who shows a password is let in; there is just no session that would spare showing it again.
        assert_eq!(log_in(gateway).await, None);
        gateway.get("/readyz").await.expect(200);
    }

    redis.restart().await;
    for gateway in gateways {
        wait::until("the session is known to be gone", async || with_session(gateway, &cookie).await == 401).await;
        everybody_else_pulls(gateway, key, token, &blob).await;
        let fresh = log_in(gateway).await.expect("a session");
        for other in gateways {
            wait::until("it is good everywhere", async || with_session(other, &fresh).await == 200).await;
        }
    }
}
