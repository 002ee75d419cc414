//! The memory that transfers take in gateway and node, with bytes in S3.

use bytes::Bytes;
use futures::{StreamExt as _, future::join_all, stream};
use http_body_util::BodyExt as _;
use tokio::task::JoinSet;
use zot_tests::{Client, Cluster, content, wait};

use crate::start::{shared, tell};

const MIB: u64 = 1 << 20;

/// How many transfers are under way at the same time, and how much each has sent: together less than the budget.
const TRANSFERS: usize = 200;
const SENT_BYTES: usize = 1 << 20;

/// What a node may take for uploads that have sent so much: hardly more than they have sent.
const UPLOADS_BYTES_MAX: u64 = 360 * MIB;

/// What the processes may take for as many downloads besides: a window of 1 MiB and some pieces on their way for each.
const NODE_BYTES_MAX: u64 = 700 * MIB;
const GATEWAY_BYTES_MAX: u64 = 400 * MIB;

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

/// Pushes a blob of so many MiB piece by piece without ever holding it, and gives its digest.
async fn push(client: &Client, seed: u64, mebibytes: u64) -> String {
    let piece = Bytes::from(content::bytes(seed, MIB as usize));
    let mut hash = content::Sha256::default();
    (0..mebibytes).for_each(|_| hash.update(&piece));
    let digest = hash.digest();
    loop {
        let upload = client.retry(|client| client.post("/v2/app/blobs/uploads/")).await.reply.expect(202).location();
        let piece = piece.clone();
        let pieces = stream::iter((0..mebibytes).map(move |_| Ok(piece.clone())));
        let reply = client.put(&format!("{upload}?digest={digest}")).stream(pieces).await;
        // A bucket of one machine that has too much to do is waited for by whoever has time.
        if reply.status != 503 {
            reply.expect(201);
            return digest;
        }
    }
}

/// Uploads of which each has sent some and not all; for as long as what is returned lives.
async fn uploads(client: &Client) -> JoinSet<()> {
    let mut uploads = JoinSet::new();
    for seed in 0..TRANSFERS {
        let (client, upload) = (client.clone(), client.start_upload("app").await);
        uploads.spawn(async move {
            let bytes = Bytes::from(content::bytes(seed as u64, SENT_BYTES));
            // As the pieces of a slow network: each in a packet of its own.
            let pieces: Vec<_> = (0..SENT_BYTES).step_by(16 << 10).map(|start| Ok(bytes.slice(start..start + (16 << 10)))).collect();
            let body = stream::iter(pieces).chain(stream::pending());
            client.patch(&upload).header("content-type", "application/octet-stream").stream(body).try_send().await.ok();
        });
    }
    uploads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_transfers_under_way_take_bounded_memory() {
    let Some(builder) = shared().await else { return };
    let cluster = builder.sized(1, 1).tolerate_errors("reap-uploads failed").start().await;
    let client = cluster.gateways()[0].client();
    let digest = push(&client, 0, 16).await;

    let uploads = uploads(&client).await;
    let all = TRANSFERS as u64 * SENT_BYTES as u64;
    wait::until("the node has taken everything in", async || peaks(&cluster).1 > all).await;
    let (_, node) = told(&cluster, &format!("{TRANSFERS} uploads under way"));
    assert!(node <= UPLOADS_BYTES_MAX);

    let pull = async || {
        let mut body = client.get_blob("app", &digest).start().await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        body
    };
    // Each reader stops after its first bytes, so that everything before it fills up.
    let pulls = join_all((0..TRANSFERS).map(|_| pull())).await;
    assert_eq!((uploads.len(), pulls.len()), (TRANSFERS, TRANSFERS));
    let (gateway, node) = told(&cluster, &format!("{TRANSFERS} uploads and {TRANSFERS} downloads under way"));
    assert!(gateway <= GATEWAY_BYTES_MAX && node <= NODE_BYTES_MAX);
}
