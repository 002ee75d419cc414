//! The memory that transfers take in gateway and node, with bytes in S3.

use zot_tests::{Cluster, transfers, wait};

use crate::start::{shared, tell};

const MIB: u64 = 1 << 20;

/// How many transfers are under way at the same time, and how much each has sent: together less than the budget.
const TRANSFERS: usize = 200;
const SENT_BYTES: usize = 1 << 20;

/// What a node may take for uploads that have sent so much: hardly more than they have sent.
const UPLOADS_BYTES_MAX: u64 = 340 * MIB;

/// What the processes may take for as many downloads besides: in the node a piece for each that waits to be sent, and as much as the HTTP library
/// reads ahead from S3, which together are less than 0.8 MiB.
const NODE_BYTES_MAX: u64 = UPLOADS_BYTES_MAX + TRANSFERS as u64 * 8 * MIB / 10;
const GATEWAY_BYTES_MAX: u64 = 330 * MIB;

/// The peaks of the gateway and the node.
fn peaks(cluster: &Cluster) -> (u64, u64) {
    let peak = |members: &[zot_tests::cluster::Member]| members[0].memory_peak_bytes().unwrap_or_default();
    (peak(cluster.gateways()), peak(cluster.nodes()))
}

fn told(cluster: &Cluster, what: &str) -> (u64, u64) {
    let (gateway, node) = peaks(cluster);
    tell(&format!("{what}: the gateway took {} MiB, the node {} MiB", gateway / MIB, node / MIB));
    (gateway, node)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_transfers_under_way_take_bounded_memory() {
    let Some(builder) = shared().await else { return };
    let cluster = builder.sized(1, 1).tolerate_errors("reap-uploads failed").start().await;
    let client = cluster.gateways()[0].client();
    let digest = transfers::push(&client, "app", 0, 16).await;

    let uploads = transfers::uploads_under_way(&client, "app", TRANSFERS, SENT_BYTES).await;
    let all = TRANSFERS as u64 * SENT_BYTES as u64;
    wait::until("the node has taken everything in", async || peaks(&cluster).1 > all).await;
    let (_, node) = told(&cluster, &format!("{TRANSFERS} uploads under way"));
    assert!(node <= UPLOADS_BYTES_MAX);

    let pulls = transfers::pulls_under_way(&client, "app", &digest, TRANSFERS).await;
    assert_eq!((uploads.len(), pulls.len()), (TRANSFERS, TRANSFERS));
    let (gateway, node) = told(&cluster, &format!("{TRANSFERS} uploads and {TRANSFERS} downloads under way"));
    assert!(gateway <= GATEWAY_BYTES_MAX && node <= NODE_BYTES_MAX);
}
