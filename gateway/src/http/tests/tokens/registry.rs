//! Tokens of a token service: each opens what it was issued for, and nothing else.

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use zot_oci::Digest;

use super::{Issuer, ask, registry, send};
use crate::sandbox::{Reply, Sandbox, image};

/// A registry that takes the tokens of an issuer.
struct Guarded {
    sandbox: Sandbox,
    issuer: Issuer,
    _cert: NamedTempFile,
}

impl Guarded {
    async fn start() -> Self {
        let (issuer, cert) = (Issuer::new(), NamedTempFile::new().unwrap());
        std::fs::write(cert.path(), issuer.pem()).unwrap();
        let sandbox = registry(&json!({"realm": "https://auth/token", "service": "zot", "cert": cert.path()})).await;
        Self { sandbox, issuer, _cert: cert }
    }

    async fn ask(&self, method: &str, path: &str, actions: &[&str]) -> Reply {
        ask(&self.sandbox, method, path, &self.issuer.token("team/app", actions)).await
    }

    /// Pushes a blob, by somebody who may.
    async fn push_blob(&self, repository: &str, content: &'static str) -> Digest {
        let digest = Digest::sha256(content.as_bytes());
        let token = self.issuer.token(repository, &["push"]);
        let request = self.sandbox.request("POST", &format!("/v2/{repository}/blobs/uploads/?digest={digest}"));
        let reply = send(&self.sandbox, request.header("authorization", format!("Bearer {token}")), content).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        digest
    }
}

fn challenge(scope: &str, error: &str) -> String {
    let named = [("scope", scope), ("error", error)].into_iter().filter(|(_, text)| !text.is_empty());
    let named: String = named.map(|(name, text)| format!(",{name}=\"{text}\"")).collect();
    format!("Bearer realm=\"https://auth/token\",service=\"zot\"{named}")
}

/// Each method of each endpoint of a repository, and the word that a token needs for it.
fn endpoints(repository: &str, digest: &Digest) -> Vec<(&'static str, String, &'static str)> {
    let upload = "2f8e0d2c-2b6a-4a56-8a56-0d3d2f1f9f10";
    let at = |rest: &str| format!("/v2/{repository}/{rest}");
    vec![
        ("GET", at("tags/list"), "pull"),
        ("HEAD", at("tags/list"), "pull"),
        ("GET", at("manifests/v1"), "pull"),
        ("HEAD", at("manifests/v1"), "pull"),
        ("PUT", at("manifests/v1"), "push"),
        ("DELETE", at("manifests/v1"), "delete"),
        ("GET", at(&format!("manifests/{digest}")), "pull"),
        ("PUT", at(&format!("manifests/{digest}")), "push"),
        ("DELETE", at(&format!("manifests/{digest}")), "delete"),
        ("GET", at(&format!("blobs/{digest}")), "pull"),
        ("HEAD", at(&format!("blobs/{digest}")), "pull"),
        ("DELETE", at(&format!("blobs/{digest}")), "delete"),
        ("GET", at(&format!("referrers/{digest}")), "pull"),
        ("POST", at("blobs/uploads/"), "push"),
        ("GET", at(&format!("blobs/uploads/{upload}")), "push"),
        ("PATCH", at(&format!("blobs/uploads/{upload}")), "push"),
        ("PUT", at(&format!("blobs/uploads/{upload}?digest={digest}")), "push"),
        ("DELETE", at(&format!("blobs/uploads/{upload}")), "push"),
    ]
}

#[tokio::test]
async fn a_token_opens_what_its_words_say_and_nothing_else() {
    let guarded = Guarded::start().await;
    let digest = guarded.push_blob("team/app", "{}").await;
    for words in [&["pull"][..], &["push"], &["delete"], &["pull", "push"], &["*"], &["admin"], &[]] {
        for (method, path, needed) in endpoints("team/app", &digest) {
            let allowed = words.contains(&needed) || words.contains(&"*");
            let reply = guarded.ask(method, &path, words).await;
            assert_eq!(reply.status != 401, allowed, "{words:?} {method} {path}: {reply:?}");
            assert_ne!(reply.status, 403, "{words:?} {method} {path}");
            if !allowed {
                let scope = if needed == "push" { "pull,push" } else { needed };
                let told = challenge(&format!("repository:team/app:{scope}"), "insufficient_scope");
                assert_eq!(reply.header("www-authenticate"), told, "{method} {path}");
            }
        }
    }
    // A blob that some of these tokens could delete is gone by now; others' repositories were never open.
    for name in ["team/other", "team", "team/app/deep", "other/app"] {
        for (method, path, _) in endpoints(name, &digest) {
            let reply = guarded.ask(method, &path, &["*"]).await;
            assert_eq!(reply.status, 401, "{method} {path}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn whoever_has_no_good_token_is_told_where_to_get_one() {
    let guarded = Guarded::start().await;
    let expired = guarded.issuer.token_for(&json!([{"type": "repository", "name": "team/app", "actions": ["pull"]}]), -60);
    let strangers = Issuer::new().token("team/app", &["pull"]);
    for (path, scope) in [("/v2/", ""), ("/v2/_catalog", "registry:catalog:*"), ("/v2/team/app/tags/list", "repository:team/app:pull")] {
        let without = guarded.sandbox.get(path).await;
        let mut replies = vec![(without, "")];
        for token in [expired.as_str(), strangers.as_str(), "nonsense", ""] {
            replies.push((ask(&guarded.sandbox, "GET", path, token).await, "invalid_token"));
        }
        for (reply, error) in replies {
            assert_eq!(reply.refusal(), (401, "UNAUTHORIZED".to_owned()), "{path}");
            assert_eq!(reply.header("www-authenticate"), challenge(scope, error), "{path}");
        }
    }
}

#[tokio::test]
async fn any_good_token_says_that_this_is_a_registry() {
    let guarded = Guarded::start().await;
    let nothing = guarded.issuer.token_for(&Value::Null, 60);
    assert_eq!(ask(&guarded.sandbox, "GET", "/v2/", &nothing).await.status, 200);
    assert_eq!(ask(&guarded.sandbox, "GET", "/v2/team/app/tags/list", &nothing).await.status, 401);
}

#[tokio::test]
async fn the_catalog_needs_a_token_for_the_catalog() {
    let guarded = Guarded::start().await;
    let config = guarded.push_blob("team/app", "{}").await;
    let request = guarded.sandbox.request("PUT", "/v2/team/app/manifests/v1");
    let request = request.header("content-type", "application/vnd.oci.image.manifest.v1+json");
    let token = guarded.issuer.token("team/app", &["push"]);
    let reply = send(&guarded.sandbox, request.header("authorization", format!("Bearer {token}")), image(&config, "")).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let all = guarded.issuer.token_for(&json!([{"type": "registry", "name": "catalog", "actions": ["*"]}]), 60);
    let reply = ask(&guarded.sandbox, "GET", "/v2/_catalog", &all).await;
    assert_eq!((reply.status, reply.json()["repositories"].clone()), (200, json!(["team/app"])));
    assert_eq!(ask(&guarded.sandbox, "GET", "/v2/team/app/tags/list", &all).await.status, 401, "the list is not what is in it");
    assert_eq!(guarded.ask("GET", "/v2/_catalog", &["*"]).await.status, 401);
}

#[tokio::test]
async fn a_blob_is_mounted_only_from_where_it_may_be_pulled() {
    let guarded = Guarded::start().await;
    let digest = guarded.push_blob("team/secret", "a secret").await;
    let path = format!("/v2/team/app/blobs/uploads/?mount={digest}&from=team/secret");
    assert_eq!(guarded.ask("POST", &path, &["*"]).await.status, 202, "an upload, as if there were no such blob");
    assert_eq!(guarded.ask("HEAD", &format!("/v2/team/app/blobs/{digest}"), &["*"]).await.status, 404);
    let both = json!([
        {"type": "repository", "name": "team/app", "actions": ["pull", "push"]},
        {"type": "repository", "name": "team/secret", "actions": ["pull"]},
    ]);
    let token = guarded.issuer.token_for(&both, 60);
    assert_eq!(ask(&guarded.sandbox, "POST", &path, &token).await.status, 201);
}
