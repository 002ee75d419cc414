//! What is in a repository is told to nobody who may not read it, by whatever way they ask.

use serde_json::{Value, json};

use super::{Who, sandbox};
use crate::sandbox::Sandbox;

const OWNER: Who = Who::User("owner");
const ALICE: Who = Who::User("alice");
const SECRET: &str = "what is in the secret repository";

fn rules() -> Value {
    let full = json!(["read", "create", "update", "delete"]);
    json!({ "repositories": {
        "secret/**": { "policies": [{ "users": ["owner"], "actions": full }] },
        "alice/**": { "policies": [{ "users": ["alice", "owner"], "actions": full }, { "users": ["blind"], "actions": ["create"] }] },
        "public/**": { "defaultPolicy": full },
    } })
}

async fn filled() -> (Sandbox, String) {
    let sandbox = sandbox(&rules()).await;
    let digest = sandbox.push_blob_as(OWNER, "secret/a", SECRET).await;
    (sandbox, digest)
}

#[tokio::test]
async fn a_digest_is_not_enough() {
    let (sandbox, digest) = filled().await;
    let absent = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    for digest in [digest.as_str(), absent] {
        for method in ["GET", "HEAD", "DELETE"] {
            for path in [format!("/v2/secret/a/blobs/{digest}"), format!("/v2/secret/b/manifests/{digest}")] {
                assert_eq!(sandbox.call_as(ALICE, method, &path).await.status, 403, "{method} {path}");
            }
            // What she may read tells of itself alone.
            let path = format!("/v2/alice/a/blobs/{digest}");
            assert_eq!(sandbox.call_as(ALICE, method, &path).await.status, 404, "{method} {path}");
        }
        let request = super::asked_by(sandbox.request("GET", &format!("/v2/alice/a/blobs/{digest}")), ALICE).header("range", "bytes=0-3");
        assert_eq!(sandbox.send(request.body("".into()).unwrap()).await.status, 404);
        assert_eq!(
            sandbox.call_as(ALICE, "GET", &format!("/v2/alice/a/blobs/{digest}")).await.status,
            404,
            "nothing was made hers by asking"
        );
    }
}

#[tokio::test]
async fn a_mount_needs_to_read_the_source() {
    let (sandbox, digest) = filled().await;
    let mount = async |who, to: &str, from: &str| {
        sandbox.call_as(who, "POST", &format!("/v2/{to}/blobs/uploads/?mount={digest}{from}")).await.status
    };
    for from in ["&from=secret/a", "&from=secret/none", "", "&from=no+name"] {
        assert_eq!(mount(ALICE, "alice/a", from).await, 202, "{from:?} is an upload like any other");
    }
    assert_eq!(mount(OWNER, "alice/a", "").await, 202, "the owner may not read everything");
    assert_eq!(mount(OWNER, "alice/a", "&from=secret/a").await, 201);
    assert_eq!(mount(ALICE, "public/a", "&from=alice/a").await, 201);
    assert_eq!(mount(ALICE, "secret/a", "&from=alice/a").await, 403);
}

#[tokio::test]
async fn a_mount_does_not_tell_what_is_in_the_target_either() {
    let (sandbox, digest) = filled().await;
    sandbox.push_blob_as(OWNER, "alice/a", SECRET).await;
    let mount = async |from: &str| {
        sandbox.call_as(Who::User("blind"), "POST", &format!("/v2/alice/a/blobs/uploads/?mount={digest}&from={from}")).await.status
    };
    assert_eq!(mount("public/a").await, 202);
    sandbox.push_blob_as(OWNER, "public/a", SECRET).await;
    assert_eq!(mount("public/a").await, 201);
}

#[tokio::test]
async fn who_may_read_everything_mounts_from_anywhere() {
    let sandbox = sandbox(&json!({ "repositories": { "**": { "defaultPolicy": ["read", "create"] } } })).await;
    let digest = sandbox.push_blob_as(OWNER, "secret/a", SECRET).await;
    assert_eq!(sandbox.call_as(ALICE, "POST", &format!("/v2/alice/a/blobs/uploads/?mount={digest}")).await.status, 201);
    let key = Who::Key("alice", zot_auth::authz::Action::Create, "alice/b");
    assert_eq!(sandbox.call_as(key, "POST", &format!("/v2/alice/b/blobs/uploads/?mount={digest}")).await.status, 202);
}

#[tokio::test]
async fn an_upload_is_nobody_elses() {
    let (sandbox, digest) = filled().await;
    let opened = sandbox.call_as(ALICE, "POST", "/v2/public/a/blobs/uploads/").await;
    let upload = opened.header("location").to_owned();
    for (method, path) in
        [("GET", upload.clone()), ("PATCH", upload.clone()), ("PUT", format!("{upload}?digest={digest}")), ("DELETE", upload.clone())]
    {
        let refused = sandbox.call_as(OWNER, method, &path).await;
        assert_eq!(refused.refusal(), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()), "{method}");
    }
    assert_eq!(sandbox.call_as(ALICE, "GET", &upload).await.status, 204);
    assert_eq!(sandbox.call_as(ALICE, "DELETE", &upload).await.status, 204, "it takes no right to delete to give up what one has begun");
    // The same for somebody who may only create.
    let blind = Who::User("blind");
    let upload = sandbox.call_as(blind, "POST", "/v2/alice/a/blobs/uploads/").await.header("location").to_owned();
    assert_eq!(sandbox.call_as(blind, "GET", &upload).await.status, 204);
    assert_eq!(sandbox.call_as(blind, "DELETE", &upload).await.status, 204);
}
