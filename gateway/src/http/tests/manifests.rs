//! Manifests and tags.

use zot_oci::Digest;

use crate::{
    http::Options,
    sandbox::{Reply, Sandbox, Setup, image},
};

const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";

async fn put(sandbox: &Sandbox, path: &str, media_type: &str, body: impl Into<axum::body::Body>) -> Reply {
    let request = sandbox.request("PUT", path).header("content-type", media_type);
    sandbox.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn a_pushed_manifest_is_served_as_it_came() {
    let sandbox = Sandbox::start().await;
    let config = sandbox.push_blob("a/b", "{}").await;
    let manifest = image(&config, ",\"annotations\":{}");
    let digest = Digest::sha256(manifest.as_bytes());
    let reply = sandbox.push_manifest("a/b", "v1", &manifest).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("location"), format!("/v2/a/b/manifests/{digest}"));
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    assert_eq!(reply.header("oci-subject"), "");
    for reference in ["v1", &digest.to_string(), &digest.to_string().replace(':', "%3A")] {
        let reply = sandbox.get(&format!("/v2/a/b/manifests/{reference}")).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body, manifest);
        assert_eq!(reply.header("content-type"), "application/vnd.oci.image.manifest.v1+json");
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
        assert_eq!(reply.header("etag"), format!("\"{digest}\""));
        assert_eq!(reply.header("content-length"), manifest.len().to_string());
    }
}

#[tokio::test]
async fn accept_is_not_consulted() {
    let sandbox = Sandbox::start().await;
    sandbox.push_image("a", "v1").await;
    let reply = sandbox.get_with("/v2/a/manifests/v1", "accept", "text/html").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_manifest_that_is_known_is_not_sent_again() {
    let sandbox = Sandbox::start().await;
    let manifest = sandbox.push_image("a", "v1").await;
    let digest = Digest::sha256(manifest.as_bytes());
    for method in ["GET", "HEAD"] {
        let request = sandbox.request(method, "/v2/a/manifests/v1").header("if-none-match", format!("\"{digest}\""));
        let reply = sandbox.send(request.body(Default::default()).unwrap()).await;
        assert_eq!(reply.status, 304);
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
        assert!(reply.body.is_empty());
    }
    let other = sandbox.get_with("/v2/a/manifests/v1", "if-none-match", "\"x\"").await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn only_manifests_are_accepted() {
    let sandbox = Sandbox::start().await;
    let config = sandbox.push_blob("a", "{}").await;
    let manifest = image(&config, "");
    for media_type in ["", "application/json", DOCKER, "x", "text/html; charset=utf-8"] {
        let reply = put(&sandbox, "/v2/a/manifests/v1", media_type, manifest.clone()).await;
        assert_eq!(reply.refusal(), (415, "MANIFEST_INVALID".to_owned()), "{media_type}");
    }
    let reply = put(&sandbox, "/v2/a/manifests/v1", DOCKER, manifest.clone()).await;
    assert_eq!(reply.json()["errors"][0]["message"], "docker schema 2 is accepted only with `docker2s2` in `http.compat`");
    let with_parameter = "application/vnd.oci.image.manifest.v1+json; charset=utf-8";
    assert_eq!(put(&sandbox, "/v2/a/manifests/v1", with_parameter, manifest).await.status, 201);
}

#[tokio::test]
async fn docker_manifests_need_to_be_allowed() {
    let setup = Setup { options: Options { docker_schema_2: true, ..Options::default() }, ..Setup::default() };
    let sandbox = Sandbox::with(setup).await;
    let config = sandbox.push_blob("a", "{}").await;
    let manifest = image(&config, "").replace("application/vnd.oci.image.manifest.v1+json", DOCKER);
    assert_eq!(put(&sandbox, "/v2/a/manifests/v1", DOCKER, manifest).await.status, 201);
    assert_eq!(sandbox.get("/v2/a/manifests/v1").await.header("content-type"), DOCKER);
}

#[tokio::test]
async fn what_is_wrong_with_a_manifest_is_said() {
    let sandbox = Sandbox::start().await;
    let absent = Digest::sha256(b"absent");
    let reply = sandbox.push_manifest("a", "v1", &image(&absent, "")).await;
    assert_eq!(reply.refusal(), (400, "MANIFEST_BLOB_UNKNOWN".to_owned()));
    assert_eq!(reply.json()["errors"][0]["detail"]["digest"], absent.to_string());
    for body in ["", "{", "[]", "{\"schemaVersion\":2}"] {
        let reply = sandbox.push_manifest("a", "v1", body).await;
        assert_eq!(reply.refusal(), (400, "MANIFEST_INVALID".to_owned()), "{body}");
    }
    let config = sandbox.push_blob("a", "{}").await;
    let reply = sandbox.push_manifest("a", &absent.to_string(), &image(&config, "")).await;
    assert_eq!(reply.refusal(), (400, "DIGEST_INVALID".to_owned()));
    let reply = sandbox.push_manifest("a", "sha256:baddigeststring", &image(&config, "")).await;
    assert_eq!(reply.refusal(), (400, "DIGEST_INVALID".to_owned()));
    for tag in [".x", &"x".repeat(129)] {
        let reply = sandbox.push_manifest("a", tag, &image(&config, "")).await;
        assert_eq!(reply.refusal(), (400, "MANIFEST_INVALID".to_owned()), "{tag}");
    }
}

#[tokio::test]
async fn a_push_by_digest_may_bring_tags() {
    let sandbox = Sandbox::start().await;
    let config = sandbox.push_blob("a", "{}").await;
    let manifest = image(&config, "");
    let digest = Digest::sha256(manifest.as_bytes());
    let reply = sandbox.push_manifest("a", &format!("{digest}?tag=b&tag=a&tag=b"), &manifest).await;
    assert_eq!(reply.status, 201);
    let tags: Vec<_> = reply.headers.get_all("oci-tag").iter().map(|tag| tag.to_str().unwrap()).collect();
    assert_eq!(tags, ["b", "a"]);
    for tag in ["a", "b"] {
        assert_eq!(sandbox.get(&format!("/v2/a/manifests/{tag}")).await.status, 200);
    }
}

#[tokio::test]
async fn tags_of_a_push_are_limited_and_checked() {
    let sandbox = Sandbox::start().await;
    let config = sandbox.push_blob("a", "{}").await;
    let manifest = image(&config, "");
    let digest = Digest::sha256(manifest.as_bytes());
    let with = |tags: usize| format!("{digest}?{}", (0..tags).map(|n| format!("tag=t{}", n % 40)).collect::<Vec<_>>().join("&"));
    assert_eq!(sandbox.push_manifest("a", &with(46), &manifest).await.status, 201);
    assert_eq!(sandbox.push_manifest("a", &with(47), &manifest).await.refusal(), (414, "MANIFEST_INVALID".to_owned()));
    let long = "x".repeat(129);
    for reference in [format!("{digest}?tag=a/b"), format!("{digest}?tag="), format!("{digest}?tag={long}"), "v1?tag=v2".to_owned()] {
        let reply = sandbox.push_manifest("a", &reference, &manifest).await;
        assert_eq!(reply.refusal(), (400, "MANIFEST_INVALID".to_owned()), "{reference}");
    }
}

#[tokio::test]
async fn a_digest_keeps_its_algorithm() {
    let sandbox = Sandbox::start().await;
    let config = sandbox.push_blob("a", "{}").await;
    let manifest = image(&config, "");
    let digest = Digest::of(zot_oci::Algorithm::Sha512, manifest.as_bytes());
    let reply = sandbox.push_manifest("a", &digest.to_string(), &manifest).await;
    assert_eq!((reply.status, reply.header("docker-content-digest")), (201, digest.to_string().as_str()));
    assert_eq!(sandbox.get(&format!("/v2/a/manifests/{digest}")).await.body, manifest);
}

#[tokio::test]
async fn deleting_a_tag_keeps_the_manifest() {
    let sandbox = Sandbox::start().await;
    let manifest = sandbox.push_image("a", "v1").await;
    let digest = Digest::sha256(manifest.as_bytes());
    assert_eq!(sandbox.call("DELETE", "/v2/a/manifests/v1").await.status, 202);
    assert_eq!(sandbox.get("/v2/a/manifests/v1").await.refusal(), (404, "MANIFEST_UNKNOWN".to_owned()));
    assert_eq!(sandbox.get(&format!("/v2/a/manifests/{digest}")).await.status, 200);
    assert_eq!(sandbox.call("DELETE", "/v2/a/manifests/v1").await.status, 404);
    assert_eq!(sandbox.call("DELETE", &format!("/v2/a/manifests/{digest}")).await.status, 202);
    assert_eq!(sandbox.get(&format!("/v2/a/manifests/{digest}")).await.status, 404);
    assert_eq!(sandbox.call("DELETE", "/v2/absent/manifests/v1").await.refusal(), (404, "NAME_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn what_an_index_lists_stays() {
    let sandbox = Sandbox::start().await;
    let manifest = sandbox.push_image("a", "v1").await;
    let digest = Digest::sha256(manifest.as_bytes());
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":{}}}]}}"#,
        manifest.len()
    );
    let reply = put(&sandbox, "/v2/a/manifests/all", "application/vnd.oci.image.index.v1+json", index).await;
    assert_eq!(reply.status, 201);
    let reply = sandbox.call("DELETE", &format!("/v2/a/manifests/{digest}")).await;
    assert_eq!(reply.refusal(), (405, "DENIED".to_owned()));
    assert_eq!(reply.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn the_limit_of_a_manifest_is_exact() {
    let sandbox = Sandbox::start().await;
    let config = sandbox.push_blob("a", "{}").await;
    let padded = |length: usize| {
        let mut manifest = image(&config, "");
        let padding = " ".repeat(length - manifest.len());
        manifest.push_str(&padding);
        manifest
    };
    let limit = 4 * 1024 * 1024;
    assert_eq!(sandbox.push_manifest("a", "v1", &padded(limit)).await.status, 201);
    let reply = sandbox.push_manifest("a", "v1", &padded(limit + 1)).await;
    assert_eq!(reply.refusal(), (413, "MANIFEST_INVALID".to_owned()));
    let unknown_length = axum::body::Body::from_stream(futures::stream::iter(vec![Ok::<_, std::io::Error>(padded(limit + 1))]));
    let reply = put(&sandbox, "/v2/a/manifests/v1", "application/vnd.oci.image.manifest.v1+json", unknown_length).await;
    assert_eq!(reply.refusal(), (413, "MANIFEST_INVALID".to_owned()));
}
