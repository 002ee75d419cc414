//! Making a tag and moving it are two rights, however the tag is pushed.

use serde_json::json;
use zot_oci::Digest;

use super::{Who, index, sandbox};

const MAKER: Who = Who::User("maker");
const MOVER: Who = Who::User("mover");
const BOTH: Who = Who::User("both");

async fn people() -> crate::sandbox::Sandbox {
    let policies = json!([
        { "users": ["maker"], "actions": ["create"] },
        { "users": ["mover"], "actions": ["update"] },
        { "users": ["both"], "actions": ["create", "update", "read", "delete"] },
        { "users": ["careful"], "actions": ["read", "delete", "detectManifestCollision"] },
    ]);
    let rules = json!({ "policies": policies, "anonymousPolicy": ["create"] });
    sandbox(&json!({ "repositories": { "**": rules } })).await
}

/// A push by digest under tags.
fn by_digest(number: usize, tags: &[&str]) -> String {
    let tags: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
    format!("{}?{}", Digest::sha256(index(number).as_bytes()), tags.join("&"))
}

#[tokio::test]
async fn a_tag_is_made_by_those_who_may_create_and_moved_by_those_who_may_update() {
    let sandbox = people().await;
    let push = async |who, number, reference: &str| sandbox.push_manifest_as(who, "a", reference, &index(number)).await.status;
    assert_eq!(push(MOVER, 1, "v1").await, 403, "there is nothing to move");
    assert_eq!(push(MAKER, 1, "v1").await, 201);
    assert_eq!(push(MAKER, 2, "v1").await, 403);
    assert_eq!(push(MAKER, 1, "v1").await, 403, "the same content is no exception");
    assert_eq!(push(Who::Nobody, 1, "v1").await, 401, "whoever says who they are may be allowed it");
    assert_eq!(push(MOVER, 2, "v1").await, 201);
    assert_eq!(push(MOVER, 2, "v1").await, 201);
    assert_eq!(push(BOTH, 3, "v1").await, 201);
    assert_eq!(push(BOTH, 3, "v2").await, 201);
    assert_eq!(push(Who::Nobody, 3, "v3").await, 201);
}

#[tokio::test]
async fn a_push_by_digest_is_no_way_around() {
    let sandbox = people().await;
    let push = async |who, number, tags: &[&str]| sandbox.push_manifest_as(who, "a", &by_digest(number, tags), &index(number)).await;
    assert_eq!(push(MOVER, 1, &[]).await.status, 403);
    assert_eq!(push(MAKER, 1, &["v1", "v2"]).await.status, 201);
    let refused = push(MAKER, 2, &["v0", "v2", "v3"]).await;
    assert_eq!(refused.refusal(), (403, "DENIED".to_owned()));
    assert!(refused.json()["errors"][0]["detail"]["reason"].as_str().unwrap().contains("v2"), "{refused:?}");
    assert_eq!(push(MOVER, 2, &["v1", "v3"]).await.status, 403);
    let tags = sandbox.call_as(BOTH, "GET", "/v2/a/tags/list").await.json();
    assert_eq!(tags["tags"], json!(["v1", "v2"]), "a push is done whole or not at all");
    assert_eq!(push(MOVER, 2, &["v1", "v2"]).await.status, 201);
    assert_eq!(push(MAKER, 3, &[]).await.status, 201);
    assert_eq!(push(BOTH, 4, &["v2", "v9"]).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_may_only_make_a_tag_one_does() {
    let sandbox = people().await;
    let pushes = (0..64).map(async |number| sandbox.push_manifest_as(MAKER, "a", "latest", &index(number)).await.status);
    let statuses = futures::future::join_all(pushes).await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 63, "{statuses:?}");
}

#[tokio::test]
async fn a_manifest_with_many_tags_goes_only_if_that_is_meant() {
    let sandbox = people().await;
    let digest = Digest::sha256(index(1).as_bytes());
    for tag in ["v1", "v2"] {
        assert_eq!(sandbox.push_manifest_as(BOTH, "a", tag, &index(1)).await.status, 201);
    }
    let careful = Who::User("careful");
    let refused = sandbox.call_as(careful, "DELETE", &format!("/v2/a/manifests/{digest}")).await;
    assert_eq!(refused.refusal(), (409, "MANIFEST_INVALID".to_owned()));
    assert_eq!(sandbox.call_as(careful, "DELETE", "/v2/a/manifests/v2").await.status, 202);
    assert_eq!(sandbox.call_as(careful, "DELETE", &format!("/v2/a/manifests/{digest}")).await.status, 202);
    for tag in ["v1", "v2"] {
        assert_eq!(sandbox.push_manifest_as(BOTH, "a", tag, &index(1)).await.status, 201);
    }
    assert_eq!(
        sandbox.call_as(BOTH, "DELETE", &format!("/v2/a/manifests/{digest}")).await.status,
        202,
        "who has not asked to be told is not"
    );
}
