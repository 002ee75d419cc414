//! What is asked first, what does not exist, and what goes wrong.

use arc_swap::ArcSwap;
use axum::body::Body;

use crate::{
    http::{Opened, Stage},
    sandbox::{Fault, Sandbox, Scripted, Setup},
};

#[tokio::test]
async fn a_registry_says_that_it_is_one() {
    let sandbox = Sandbox::start().await;
    for path in ["/v2/", "/v2"] {
        let reply = sandbox.get(path).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0");
        assert_eq!(reply.header("content-type"), "application/json");
    }
    assert_eq!(sandbox.get("/v2/_oci/ext/discover").await.json(), serde_json::json!({ "extensions": [] }));
}

#[tokio::test]
async fn health_follows_the_stage() {
    let sandbox = Sandbox::start().await;
    for path in ["/livez", "/readyz", "/startupz"] {
        let reply = sandbox.get(path).await;
        assert_eq!((reply.status, &reply.body[..]), (200, &b"ok"[..]), "{path}");
    }
    sandbox.gateway.health().enter(Stage::Draining);
    assert_eq!(sandbox.get("/livez").await.status, 200);
    assert_eq!(sandbox.get("/readyz").await.status, 503);
}

#[tokio::test]
async fn a_process_that_starts_lives_and_says_what_it_does() {
    let setup = Setup::default();
    let sandbox = Sandbox::starting(setup.options, setup.logs, &setup.server).await;
    sandbox.gateway.health().is_doing("opening the storage");
    assert_eq!(sandbox.get("/livez").await.status, 200);
    for path in ["/readyz", "/startupz"] {
        let reply = sandbox.get(path).await;
        assert_eq!((reply.status, &reply.body[..]), (503, &b"starting: opening the storage"[..]), "{path}");
    }
    for (method, path) in [("GET", "/v2/"), ("POST", "/v2/a/blobs/uploads/"), ("GET", "/v2/_catalog"), ("GET", "/x"), ("POST", "/livez")] {
        let reply = sandbox.call(method, path).await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, "5"), "{method} {path}");
        assert_eq!(reply.json()["errors"][0]["code"], "UNAVAILABLE", "{reply:?}");
    }
    let access = ArcSwap::from_pointee(setup.access);
    sandbox.gateway.open(Opened { registry: setup.registry, access, rate: None, claims: None });
    for path in ["/livez", "/readyz", "/startupz", "/v2/"] {
        assert_eq!(sandbox.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_json() {
    let sandbox = Sandbox::start().await;
    for path in ["/", "/v1/", "/v2/a", "/favicon.ico", "/v2/a/manifests", "//v2/"] {
        assert_eq!(sandbox.get(path).await.refusal(), (404, "UNSUPPORTED".to_owned()), "{path}");
    }
    for (path, status, code) in [
        ("/v2/A/tags/list", 400, "NAME_INVALID"),
        ("/v2/a%2fb/tags/list", 400, "NAME_INVALID"),
        ("/v2/../etc/manifests/x", 400, "NAME_INVALID"),
        ("/v2/a/blobs/sha256:x", 400, "DIGEST_INVALID"),
        ("/v2/a/referrers/x", 400, "DIGEST_INVALID"),
        ("/v2/a/manifests/sha256:baddigeststring", 400, "DIGEST_INVALID"),
        ("/v2/a/manifests/.INVALID_MANIFEST_NAME", 404, "MANIFEST_UNKNOWN"),
        ("/v2/a/blobs/uploads/x", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("/v2/a/tags/list", 404, "NAME_UNKNOWN"),
    ] {
        assert_eq!(sandbox.get(path).await.refusal(), (status, code.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let sandbox = Sandbox::start().await;
    for (method, path, allow) in [
        ("POST", "/v2/", "GET, HEAD, OPTIONS"),
        ("PUT", "/v2/a/tags/list", "GET, HEAD, OPTIONS"),
        ("POST", "/v2/a/manifests/x", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("GET", "/v2/a/blobs/uploads/", "POST"),
        ("OPTIONS", "/v2/a/blobs/uploads/", "POST"),
        ("DELETE", "/livez", "GET, HEAD"),
        ("TRACE", "/v2/_catalog", "GET, HEAD, OPTIONS"),
        ("BREW", "/v2/_catalog", "GET, HEAD, OPTIONS"),
    ] {
        let reply = sandbox.call(method, path).await;
        assert_eq!(reply.refusal(), (405, "UNSUPPORTED".to_owned()), "{method} {path}");
        assert_eq!(reply.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn browsers_may_list_and_pull() {
    let sandbox = Sandbox::start().await;
    let reply = sandbox.call("OPTIONS", "/v2/a/tags/list").await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("access-control-allow-methods"), "GET,OPTIONS");
    assert_eq!(reply.header("access-control-allow-headers"), "Authorization,content-type,X-ZOT-API-CLIENT");
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    let reply = sandbox.call("OPTIONS", "/v2/a/manifests/x").await;
    assert_eq!(reply.header("access-control-allow-methods"), "HEAD,GET,DELETE,OPTIONS");
    assert_eq!(sandbox.get("/v2/").await.header("access-control-allow-origin"), "*");
    let digest = sandbox.push_blob("a", "content").await;
    let blob = sandbox.get(&format!("/v2/a/blobs/{digest}")).await;
    assert_eq!(blob.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn requests_have_names() {
    let sandbox = Sandbox::start().await;
    let named = sandbox.get_with("/v2/a/tags/list", "x-request-id", "mine-1").await;
    assert_eq!(named.header("x-request-id"), "mine-1");
    assert_eq!(named.json()["errors"][0]["detail"]["requestId"], "mine-1");
    let (one, other) = (sandbox.get("/v2/").await, sandbox.get("/v2/").await);
    assert_eq!(one.header("x-request-id").len(), 16);
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let sandbox = Sandbox::start().await;
    let manifest = sandbox.push_image("a", "latest").await;
    let digest = zot_oci::Digest::sha256(manifest.as_bytes());
    let config = zot_oci::Digest::sha256(b"{}");
    for path in [
        "/v2/".to_owned(),
        "/v2/_catalog".to_owned(),
        "/v2/a/tags/list".to_owned(),
        "/v2/a/manifests/latest".to_owned(),
        format!("/v2/a/manifests/{digest}"),
        format!("/v2/a/blobs/{config}"),
        format!("/v2/a/blobs/{digest}"),
        format!("/v2/a/referrers/{digest}"),
        "/v2/a/manifests/absent".to_owned(),
        "/livez".to_owned(),
    ] {
        let (get, head) = (sandbox.get(&path).await, sandbox.call("HEAD", &path).await);
        assert_eq!(get.status, head.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(get.header("content-length"), get.body.len().to_string(), "{path}");
        for (name, value) in &get.headers {
            if name != "x-request-id" && name != "date" {
                assert_eq!(head.headers.get(name), Some(value), "{path} {name}");
            }
        }
    }
}

#[tokio::test]
async fn faults_are_told_without_their_text() {
    for (fault, status, code) in
        [(Fault::Internal, 500, "UNKNOWN"), (Fault::Panic, 500, "UNKNOWN"), (Fault::Unavailable, 503, "UNAVAILABLE")]
    {
        let sandbox = Sandbox::over(Scripted::new(fault)).await;
        let reply = sandbox.get("/v2/a/manifests/x").await;
        assert_eq!(reply.refusal(), (status, code.to_owned()));
        assert!(!reply.json().to_string().contains("secret"));
        assert_eq!(reply.header("retry-after"), if status == 503 { "3" } else { "" });
        assert_eq!(sandbox.gateway.panics(), u64::from(fault == Fault::Panic));
        assert_eq!(sandbox.get("/v2/").await.status, 200);
    }
}

#[tokio::test]
async fn a_body_that_nobody_wants_does_not_disturb() {
    let sandbox = Sandbox::start().await;
    for _ in 0..3 {
        let request = sandbox.request("GET", "/v2/").body(Body::from(vec![0; 100_000])).unwrap();
        assert_eq!(sandbox.send(request).await.status, 200);
    }
}
