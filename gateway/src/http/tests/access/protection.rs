//! What browsers are told about every answer, whatever it is the answer to.

use axum::body::Body;

use super::{Who, asked_by, sandbox};
use crate::sandbox::{Fault, Reply, Sandbox, Scripted};

const UPLOAD: &str = "2f8e0d2c-2b6a-4a56-8a56-0d3d2f1f9f10";
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Every kind of path: the API's, the probes', what is no path at all, and those about credentials.
fn paths() -> (Vec<String>, Vec<&'static str>) {
    let of_repository = ["tags/list", "manifests/v1", "blobs/uploads/"].map(str::to_owned).into_iter().chain([
        format!("manifests/{DIGEST}"),
        format!("blobs/{DIGEST}"),
        format!("referrers/{DIGEST}"),
        format!("blobs/uploads/{UPLOAD}"),
    ]);
    let others = ["/v2/", "/v2/_catalog", "/v2/_oci/ext/discover", "/livez", "/readyz", "/startupz", "/", "/nothing", "/v2/A/tags/list"];
    let all = of_repository.map(|path| format!("/v2/a/{path}")).chain(others.map(str::to_owned)).collect();
    let credentials = [
        "/zot/auth/login?provider=none",
        "/zot/auth/callback/none?state=a&code=b",
        "/zot/auth/logout",
        "/zot/auth/logout?everywhere=true",
        "/zot/auth/apikey",
        "/zot/auth/token",
        "/zot/auth/nothing",
    ];
    (all, credentials.to_vec())
}

async fn send(sandbox: &Sandbox, who: Who, method: &str, path: &str) -> Reply {
    sandbox.send(asked_by(sandbox.request(method, path), who).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_answer_is_what_its_type_says_and_nothing_about_credentials_stays() {
    let sandbox = sandbox(&serde_json::json!({ "repositories": { "**": { "defaultPolicy": ["read", "create"] } } })).await;
    let (all, credentials) = paths();
    let of_all = all.iter().map(|path| (path.as_str(), false)).chain(credentials.into_iter().map(|path| (path, true)));
    for (path, is_about_credentials) in of_all {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            for who in [Who::Nobody, Who::Wrong, Who::User("alice")] {
                let reply = send(&sandbox, who, method, path).await;
                assert_eq!(reply.header("x-content-type-options"), "nosniff", "{method} {path}: {reply:?}");
                assert_eq!(reply.header("strict-transport-security"), "", "without TLS it means nothing: {method} {path}");
                let told = ["x-frame-options", "referrer-policy", "cache-control"].map(|name| reply.header(name).to_owned());
                let policy = reply.header("content-security-policy");
                if is_about_credentials {
                    assert_eq!(told, ["DENY", "no-referrer", "no-store"], "{method} {path}: {reply:?}");
                    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{method} {path}");
                } else {
                    assert_eq!((told, policy), (["", "", ""].map(str::to_owned), ""), "{method} {path}: {reply:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_fails_is_protected_too() {
    for (fault, status) in [(Fault::Panic, 500), (Fault::Unavailable, 503)] {
        let reply = Sandbox::over(Scripted::new(fault)).await.get("/v2/a/manifests/v1").await;
        assert_eq!((reply.status, reply.header("x-content-type-options")), (status, "nosniff"));
    }
}
