//! Users who show a certificate.

use serde_json::json;
use zot_tests::Client;

use crate::tls::{Trust, authority, builder, issue, trust};

#[tokio::test]
async fn a_certificate_says_who_somebody_is() {
    let (servers, clients) = (authority(), authority());
    let builder = builder(&servers);
    let file = builder.directory().join("clients.pem");
    std::fs::write(&file, clients.pem()).unwrap();
    let policy = json!({"repositories": {"**": {
        "policies": [{"users": ["alice"], "actions": ["read", "create"]}, {"groups": ["readers"], "actions": ["read"]}],
        "anonymousPolicy": [],
    }}, "groups": {"readers": {"users": ["bob"]}}});
    let builder = builder.set("/http/tls/cacert", file.to_str().unwrap()).set("/http/accessControl", policy);
    let sandbox = builder.https(trust(&servers)).start().await;
    let client = |name: &str| {
        let identity = Some(issue(&clients, name));
        Client::https(&sandbox.url(), &Trust { identity, ..trust(&servers) })
    };
    let digest = client("alice").push_blob("a", b"by alice").await;
    client("bob").get_blob("a", &digest).await.expect(200);
    client("bob").post("/v2/a/blobs/uploads/").await.expect_error(403, "DENIED");
    client("eve").get_blob("a", &digest).await.expect_error(403, "DENIED");
    sandbox.client().get_blob("a", &digest).await.expect_error(401, "UNAUTHORIZED");
}
