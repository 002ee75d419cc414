//! What is said to those who are denied something, and what is written down.

use axum::body::Body;
use serde_json::{Value, json};
use zot_auth::{BearerChallenge, Challenges};

use super::{Who, access, asked_by, sandbox};
use crate::{
    http::tests::logs::Logged,
    sandbox::{Reply, Sandbox},
};

fn rules() -> Value {
    let condition = json!({ "expression": "req.tag != 'latest'", "message": "tag `latest` is made by the build alone" });
    json!({ "repositories": {
        "a/**": { "policies": [{ "users": ["alice"], "actions": ["read", "create"], "conditions": [condition] }] },
        "public/**": { "anonymousPolicy": ["read"] },
    } })
}

fn challenges(reply: &Reply) -> Vec<&str> {
    reply.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn who_has_yet_to_say_who_they_are_is_asked() {
    let sandbox = sandbox(&rules()).await;
    for who in [Who::Nobody, Who::Wrong] {
        let reply = sandbox.call_as(who, "GET", "/v2/a/tags/list").await;
        assert_eq!(reply.refusal(), (401, "UNAUTHORIZED".to_owned()));
        assert_eq!(challenges(&reply), [r#"Basic realm="the registry""#]);
        assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0");
    }
    let known = sandbox.call_as(Who::User("bob"), "GET", "/v2/a/tags/list").await;
    assert_eq!(known.refusal(), (403, "DENIED".to_owned()));
    assert!(challenges(&known).is_empty());
}

#[tokio::test]
async fn a_token_service_is_told_what_for() {
    let bearer = BearerChallenge { realm: "https://auth/token".to_owned(), service: Some("zot".to_owned()) };
    let sandbox = sandbox(&rules()).await;
    sandbox.gateway.replace_access(access(&rules()).challenging(Challenges { basic: None, bearer: Some(bearer) }));
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let token = Who::Token(zot_auth::authz::Action::Read, "other");
    for (method, path, scope) in [
        ("GET", "/v2/a/b/tags/list", "repository:a/b:pull"),
        ("POST", "/v2/a/b/blobs/uploads/", "repository:a/b:pull,push"),
        ("PUT", "/v2/a/b/manifests/v1", "repository:a/b:pull,push"),
        ("DELETE", &format!("/v2/a/b/manifests/{digest}"), "repository:a/b:delete"),
        ("GET", "/v2/_catalog", "registry:catalog:*"),
    ] {
        let told = format!(r#"Bearer realm="https://auth/token",service="zot",scope="{scope}""#);
        assert_eq!(challenges(&sandbox.call_as(token, method, path).await), [format!(r#"{told},error="insufficient_scope""#)]);
        assert_eq!(challenges(&sandbox.call_as(Who::Wrong, method, path).await), [told], "a password is no token with an error");
    }
    assert_eq!(challenges(&sandbox.call_as(Who::Wrong, "GET", "/v2/").await), [r#"Bearer realm="https://auth/token",service="zot""#]);
}

#[tokio::test]
async fn the_user_interface_asks_itself() {
    let sandbox = sandbox(&rules()).await;
    let request = sandbox.request("GET", "/v2/a/tags/list").header("x-zot-api-client", "zot-ui");
    let reply = sandbox.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((reply.status, challenges(&reply).len()), (401, 0));
}

/// The answer to a client that looks whether this is a registry.
async fn ping(sandbox: &Sandbox, who: Who, agent: &str) -> u16 {
    let request = asked_by(sandbox.request("GET", "/v2/"), who).header("user-agent", agent);
    sandbox.send(request.body(Body::empty()).unwrap()).await.status
}

#[tokio::test]
async fn docker_is_asked_for_its_user_where_that_makes_a_difference() {
    let sandbox = sandbox(&rules()).await;
    for agent in ["docker/27.3.1 go/go1.22", "Docker-Client/27.3.1 (linux)"] {
        assert_eq!(ping(&sandbox, Who::Nobody, agent).await, 401, "{agent}");
        assert_eq!(ping(&sandbox, Who::User("alice"), agent).await, 200, "{agent}");
    }
    assert_eq!(ping(&sandbox, Who::Nobody, "containers/5.0").await, 200);
    let anonymous = json!({ "repositories": { "**": { "anonymousPolicy": ["read"] } } });
    sandbox.gateway.replace_access(access(&anonymous));
    assert_eq!(ping(&sandbox, Who::Nobody, "docker/27.3.1").await, 200);
    let users = json!({ "repositories": { "**": { "defaultPolicy": ["read"] } } });
    sandbox.gateway.replace_access(access(&users));
    assert_eq!(ping(&sandbox, Who::Nobody, "containers/5.0").await, 401);
}

#[tokio::test]
async fn a_rule_says_why() {
    let sandbox = sandbox(&rules()).await;
    let push = async |tag: &str| sandbox.push_manifest_as(Who::User("alice"), "a", tag, &super::index(1)).await;
    assert_eq!(push("v1").await.status, 201);
    let refused = push("latest").await;
    assert_eq!(refused.refusal(), (403, "DENIED".to_owned()));
    assert_eq!(refused.json()["errors"][0]["detail"]["reason"], "tag `latest` is made by the build alone");
    let nothing_to_say = sandbox.call_as(Who::User("bob"), "GET", "/v2/a/tags/list").await;
    assert_eq!(nothing_to_say.json()["errors"][0]["message"], "requested access to the resource is denied");
}

#[tokio::test]
async fn denials_are_written_down_with_who_was_denied() {
    let logged = Logged::with(access(&rules())).await;
    logged.sandbox.call_as(Who::User("bob"), "GET", "/v2/a/tags/list").await;
    logged.sandbox.call_as(Who::Nobody, "GET", "/v2/a/tags/list").await;
    logged.sandbox.call_as(Who::Wrong, "GET", "/v2/a/tags/list").await;
    logged.sandbox.call_as(Who::User("alice"), "GET", "/v2/a/tags/list").await;
    let (access, audit) = logged.lines().await;
    let seen = |lines: &[Value], who: &str, status: &str| -> Vec<(String, u64)> {
        lines.iter().map(|line| (line[who].as_str().unwrap_or_default().to_owned(), line[status].as_u64().unwrap())).collect()
    };
    let named = |names: &[(&str, u64)]| names.iter().map(|(name, status)| ((*name).to_owned(), *status)).collect::<Vec<_>>();
    assert_eq!(seen(&audit, "subject", "status"), named(&[("bob", 403), ("anonymous", 401), ("anonymous", 401)]));
    assert_eq!(seen(&access, "username", "statusCode"), named(&[("bob", 403), ("", 401), ("", 401), ("alice", 404)]));
}

#[tokio::test]
async fn a_deletion_that_would_take_several_tags_is_a_denial() {
    let rules = json!({ "repositories": { "**": { "policies": [
        { "users": ["alice"], "actions": ["read", "create", "delete", "detectManifestCollision"] },
    ] } } });
    let logged = Logged::with(access(&rules)).await;
    let alice = Who::User("alice");
    for tag in ["v1", "v2"] {
        assert_eq!(logged.sandbox.push_manifest_as(alice, "a", tag, &super::index(1)).await.status, 201);
    }
    let digest = zot_oci::Digest::sha256(super::index(1).as_bytes());
    assert_eq!(logged.sandbox.call_as(alice, "DELETE", &format!("/v2/a/manifests/{digest}")).await.status, 409);
    let (_, audit) = logged.lines().await;
    let last = audit.last().unwrap();
    assert_eq!((last["subject"].as_str(), last["action"].as_str(), last["status"].as_u64()), (Some("alice"), Some("DELETE"), Some(409)));
}
