//! Nodes believe gateways that know the secret of their cluster, and no others.

use serde_json::json;
use zot_tests::{Cluster, Image, wait};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_with_another_secret_can_do_nothing() {
    let secret = "a secret of this cluster";
    let builder = Cluster::builder().set("/cluster/claimKey", secret);
    let mut cluster = builder.tolerate_errors("request failed").start().await;
    let image = Image::small(1);
    cluster.gateway(0).client().push_image("app", "v1", &image).await;

    // Once more from a file.
    let file = cluster.directory().join("claim.key");
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    for (gateway, key, value) in [(0, "claimKeyFile", json!(file)), (1, "claimKey", json!(null))] {
        let member = cluster.gateway(gateway);
        assert!(member.terminate().await.success());
        member.set("/cluster/claimKey", json!(null));
        member.set(&format!("/cluster/{key}"), value);
    }
    cluster.start().await;
    cluster.gateway(0).client().get_manifest("app", "v1").await.expect(200);
    // What is left to the other one is the key by which repositories are spread, which is in all examples.
    let other = cluster.gateway(1).client();
    other.get_manifest("app", "v1").await.expect_error(500, "UNKNOWN");
    other.post("/v2/app/blobs/uploads/").await.expect_error(500, "UNKNOWN");
    // What is logged is written by a thread of its own.
    let disbelieved = async || cluster.nodes().iter().any(|node| node.logs().text().contains("believe the claim of the call"));
    wait::until("a node says that it does not believe it", disbelieved).await;
    let is_warned_of = |gateway: usize| cluster.gateways()[gateway].logs().text().contains("stands in files that anybody can read");
    wait::until("it is warned of", async || is_warned_of(1)).await;
    assert!(!is_warned_of(0));
}
