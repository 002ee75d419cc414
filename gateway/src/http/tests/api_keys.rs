//! API keys over HTTP: whose they are, what is told of them, and what they are not good for.

use std::sync::Arc;

use axum::{body::Body, http::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use zot_auth::{
    Access, Method,
    accounts::Accounts,
    api_keys::ApiKeys,
    authn::{Authenticators, PasswordSource, Proof, Verdict},
};
use zot_config::Secret;
use zot_contract::MemoryRegistry;
use zot_runtime::tasks::Tasks;

use crate::sandbox::{Reply, Sandbox, Setup};

const PATH: &str = "/zot/auth/apikey";

/// Everybody's password is their name.
#[derive(Debug)]
struct Names;

#[async_trait::async_trait]
impl PasswordSource for Names {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        if user == password.reveal() { Verdict::Proved(Proof::of_user(user, Method::Htpasswd)) } else { Verdict::Wrong }
    }
}

async fn sandbox() -> Sandbox {
    let registry = Arc::new(MemoryRegistry::default());
    let keys = ApiKeys::new(Arc::new(Accounts::new(registry.clone())), &Tasks::new());
    let passwords: Vec<Box<dyn PasswordSource>> = vec![Box::new(keys.clone()), Box::new(Names)];
    let access = Access::new(Authenticators { passwords, ..Authenticators::default() }).with_api_keys(Some(keys));
    Sandbox::with(Setup { registry, access, ..Setup::default() }).await
}

fn asked(sandbox: &Sandbox, method: &str, path: &str, user: &str, password: &str, body: impl Into<Body>) -> Request<Body> {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    let request = sandbox.request(method, path).header("authorization", format!("Basic {credentials}")).header("user-agent", "test/1");
    request.body(body.into()).unwrap()
}

async fn ask(sandbox: &Sandbox, method: &str, path: &str, user: &str, password: &str, body: Value) -> Reply {
    sandbox.send(asked(sandbox, method, path, user, password, body.to_string())).await
}

async fn listed(sandbox: &Sandbox, user: &str) -> Vec<Value> {
    let reply = ask(sandbox, "GET", PATH, user, user, json!(null)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["apiKeys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_is_told_once_used_and_revoked() {
    let sandbox = sandbox().await;
    let reply = ask(&sandbox, "POST", PATH, "alice", "alice", json!({"label": "ci", "scopes": ["a/**:read"]})).await;
    assert_eq!((reply.status, reply.header("content-type")), (201, "application/json"), "{reply:?}");
    let mut made = reply.json();
    let key = made["apiKey"].as_str().unwrap().to_owned();
    assert_eq!((&made["creatorUa"], &made["label"], &made["scopes"]), (&json!("test/1"), &json!("ci"), &json!(["a/**:read"])));
    made.as_object_mut().unwrap().remove("apiKey");
    assert_eq!(listed(&sandbox, "alice").await, [made.clone()]);
    assert_eq!(ask(&sandbox, "GET", "/v2/", "alice", &key, json!(null)).await.status, 200);
    assert_eq!(ask(&sandbox, "GET", "/v2/", "bob", &key, json!(null)).await.status, 401);

    let revoke = format!("{PATH}?id={}", made["uuid"].as_str().unwrap());
    assert_eq!(listed(&sandbox, "bob").await, [] as [Value; 0]);
    assert_eq!(ask(&sandbox, "DELETE", &revoke, "bob", "bob", json!(null)).await.status, 404);
    assert_eq!(ask(&sandbox, "DELETE", &revoke, "alice", "alice", json!(null)).await.status, 200);
    assert_eq!(ask(&sandbox, "DELETE", &revoke, "alice", "alice", json!(null)).await.status, 404);
    assert_eq!(ask(&sandbox, "GET", "/v2/", "alice", &key, json!(null)).await.status, 401);
}

#[tokio::test]
async fn nobody_and_no_key_manages_keys() {
    let sandbox = sandbox().await;
    for method in ["GET", "POST", "DELETE"] {
        let request = sandbox.request(method, PATH).body(Body::from("{}")).unwrap();
        assert_eq!(sandbox.send(request).await.refusal(), (401, "UNAUTHORIZED".to_owned()), "{method}");
    }
    let made = ask(&sandbox, "POST", PATH, "alice", "alice", json!({})).await.json();
    for method in ["GET", "POST", "DELETE"] {
        let reply = ask(&sandbox, method, PATH, "alice", made["apiKey"].as_str().unwrap(), json!({})).await;
        assert_eq!(reply.refusal(), (403, "DENIED".to_owned()), "{method}");
    }
}

#[tokio::test]
async fn what_cannot_be_made_or_revoked_is_said() {
    let sandbox = sandbox().await;
    for body in ["", "{", r#"{"expirationDate": "2020-01-01T00:00:00Z"}"#, r#"{"scopes": ["a:write"]}"#] {
        let reply = sandbox.send(asked(&sandbox, "POST", PATH, "alice", "alice", body)).await;
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
    }
    let large = json!({"label": "x".repeat(9000)});
    assert_eq!(ask(&sandbox, "POST", PATH, "alice", "alice", large).await.refusal(), (413, "SIZE_INVALID".to_owned()));
    for (query, status) in [("", 400), ("?id=", 400), ("?id=a&id=b", 400), ("?id=a", 404)] {
        let reply = ask(&sandbox, "DELETE", &format!("{PATH}{query}"), "alice", "alice", json!(null)).await;
        assert_eq!(reply.status, status, "{query}");
    }
    assert_eq!(listed(&sandbox, "alice").await, [] as [Value; 0]);
}

#[tokio::test]
async fn without_keys_there_is_nothing_to_manage() {
    let passwords: Vec<Box<dyn PasswordSource>> = vec![Box::new(Names)];
    let access = Access::new(Authenticators { passwords, ..Authenticators::default() });
    let sandbox = Sandbox::with(Setup { access, ..Setup::default() }).await;
    assert_eq!(ask(&sandbox, "GET", PATH, "alice", "alice", json!(null)).await.refusal(), (404, "UNSUPPORTED".to_owned()));
}
