//! What is one user's is nothing to another, whichever gateway made it and whichever is asked; and nobody becomes another by saying so.

use serde_json::json;
use zot_tests::{in_both_shapes, shapes::Settings};

use super::matrix::PASSWORDS;

const TAGS: &str = "/v2/own/a/tags/list";
const UPLOADS: &str = "/v2/shared/a/blobs/uploads/";

fn settings(settings: Settings) -> Settings {
    let rules = json!({"repositories": {
        "own/**": {"policies": [{"users": ["alice"], "actions": ["read", "create"]}]},
        "shared/**": {"defaultPolicy": ["read", "create", "update", "delete"]},
    }});
    let settings = settings.set("/http/auth/htpasswd/path", PASSWORDS.1.to_str().unwrap()).set("/http/auth/apikey", true);
    settings.set("/http/accessControl", rules)
}

in_both_shapes!(uploads_and_keys_are_their_makers_at_every_gateway, settings, |registry| async move {
    for begun in registry.gateways() {
        for gateway in registry.gateways() {
            let upload = begun.post(UPLOADS).basic("alice", "secret").await.expect(202).location();
            let digest = zot_tests::digest_of(b"of alice");
            for method in ["GET", "HEAD", "PATCH", "DELETE"] {
                let reply = gateway.request(method.parse().unwrap(), &upload).basic("bob", "secret").await.expect(404);
                assert!(method == "HEAD" || reply.error_code() == "BLOB_UPLOAD_UNKNOWN", "{method}: {}", reply.text());
            }
            let finish = gateway.finish_upload(&upload, &digest, b"of alice");
            finish.basic("bob", "secret").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
            gateway.get(&upload).await.expect(401);
            gateway.finish_upload(&upload, &digest, b"of alice").basic("alice", "secret").await.expect(201);

            let made = begun.post("/zot/auth/apikey").basic("alice", "secret").body("{}").await.expect(201).json();
            let key = format!("/zot/auth/apikey?id={}", made["uuid"].as_str().unwrap());
            assert_eq!(gateway.get("/zot/auth/apikey").basic("bob", "secret").await.expect(200).json()["apiKeys"], json!([]));
            gateway.delete(&key).basic("bob", "secret").await.expect(404);
            gateway.delete(&key).await.expect(401);
            gateway.delete(&key).basic("alice", "secret").await.expect(200);
        }
    }
});

in_both_shapes!(nobody_is_who_a_header_says, settings, |registry| async move {
    // What proxies tell their applications, what nodes are told by gateways, and what clients of gRPC could call it.
    let names = [
        "x-forwarded-user",
        "x-forwarded-email",
        "x-forwarded-preferred-username",
        "x-remote-user",
        "remote-user",
        "x-auth-request-user",
        "x-authenticated-user",
        "x-webauth-user",
        "x-user",
        "x-ssl-client-cn",
        "x-ssl-client-s-dn",
        "x-client-cert",
        "x-zot-subject",
        "x-zot-user",
        "x-zot-claim",
        "x-zot-claim-bin",
        "zot-subject",
        "zot-claim",
        "zot-claim-bin",
        "claim-bin",
        "subject",
        "subject-bin",
        "grpc-metadata-subject",
    ];
    for gateway in registry.gateways() {
        for name in names {
            for value in ["alice", "CN=alice", "YWxpY2U="] {
                gateway.get(TAGS).header(name, value).await.expect_error(401, "UNAUTHORIZED");
                gateway.post("/v2/own/a/blobs/uploads/").header(name, value).await.expect_error(401, "UNAUTHORIZED");
                gateway.get(TAGS).header(name, value).basic("bob", "secret").await.expect_error(403, "DENIED");
            }
        }
        gateway.get(TAGS).basic("alice", "secret").await.expect_error(404, "NAME_UNKNOWN");
    }
});
