//! Nodes that come and go while everybody else goes on.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures::{SinkExt, StreamExt, channel::mpsc, future::join_all, stream};
use http_body_util::BodyExt;
use hyper::{Response, body::Incoming};
use tokio::task::JoinHandle;
use zot_tests::{Client, Front, Image, Reply, content::bytes, digest_of, stall::unless_stalled};

use crate::start::{STALL, repositories, shared, tell};

/// Somebody who reads and writes all repositories, and does not try again.
struct Worker {
    stop: Arc<AtomicBool>,
    done: JoinHandle<usize>,
}

impl Worker {
    fn start(client: Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let done = tokio::spawn(async move {
            let mut requests = 0;
            while !stopped.load(Ordering::Relaxed) {
                for repository in repositories() {
                    client.put_manifest(&repository, "moving", &Image::small(1).manifest).await.expect(201);
                    client.get_manifest(&repository, "moving").await.expect(200);
                    requests += 2;
                }
            }
            requests
        });
        Self { stop, done }
    }

    /// How many requests it made, of which none failed.
    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.done.await.expect("no request failed")
    }
}

async fn push_to_all(front: &Front) {
    for repository in repositories() {
        front.client().push_image(&repository, "latest", &Image::small(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fourth_node_takes_its_share_while_everything_goes_on() {
    unless_stalled(STALL, async || {
        let Some(builder) = shared().await else { return };
        let mut cluster = builder.start().await;
        let front = cluster.front().await;
        push_to_all(&front).await;
        let before = cluster.all_nodes_up().await;
        let worker = Worker::start(front.client());
        cluster.add_node();
        let after = cluster.all_nodes_up().await;
        let requests = worker.stop().await;
        assert!(after.view > before.view, "{before:?} {after:?}");
        // A quarter of everything is the new one's, and what the others have less than before.
        assert!((20.0..30.0).contains(&after.shares["node-3"]), "{after:?}");
        assert!(before.shares.iter().all(|(node, share)| after.shares[node] < *share), "{before:?} {after:?}");
        tell(&format!("{requests} requests while a node joined, none failed"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_a_node_is_drained_and_removed() {
    unless_stalled(STALL, async || {
        let Some(builder) = shared().await else { return };
        let mut cluster = builder.start().await;
        cluster.all_nodes_up().await;
        let front = cluster.front().await;
        push_to_all(&front).await;
        let worker = Worker::start(front.client());
        cluster.drain("node-1").await;
        cluster.node(1).terminate().await;
        cluster.remove("node-1").await;
        let requests = worker.stop().await;
        cluster.status_in_which("two nodes are left", |status| status.states.len() == 2 && status.up() == ["node-0", "node-2"]).await;
        tell(&format!("{requests} requests while a node was drained and removed, none failed"));
    })
    .await;
}

/// The size of a blob of which much is on its way when its reader stops, whatever sockets and processes hold.
const LONG_BYTES: usize = 16 << 20;
/// What is sent of an upload before the node is drained.
const BEGUN_BYTES: usize = 1 << 20;

/// A blob that is being pulled, and one that is being pushed.
struct Transfers {
    repository: String,
    blob: Vec<u8>,
    pull: Response<Incoming>,
    pulled: Vec<u8>,
    upload: String,
    more: mpsc::Sender<io::Result<Bytes>>,
    patch: JoinHandle<Reply>,
}

impl Transfers {
    async fn begin(client: &Client, repository: String, seed: u64) -> Self {
        let blob = bytes(seed, LONG_BYTES);
        let digest = client.push_blob(&repository, &blob).await;
        let mut pull = client.get_blob(&repository, &digest).start().await.expect("an answer");
        let pulled = pull.body_mut().frame().await.expect("a body").expect("its first bytes").into_data().expect("bytes").to_vec();
        let upload = client.start_upload(&repository).await;
        let (mut more, body) = mpsc::channel(0);
        let (sender, path) = (client.clone(), upload.clone());
        let patch = tokio::spawn(async move { sender.patch(&path).header("content-type", "application/octet-stream").stream(body).await });
        more.send(Ok(Bytes::copy_from_slice(&blob[..BEGUN_BYTES]))).await.expect("the upload is read");
        Self { repository, blob, pull, pulled, upload, more, patch }
    }

    /// Both come to their end, and what arrived is whole. The upload becomes another blob, so that it is not there already.
    async fn end(mut self, client: &Client) {
        self.blob.truncate(LONG_BYTES - 1);
        self.more.send(Ok(Bytes::copy_from_slice(&self.blob[BEGUN_BYTES..]))).await.expect("the upload is read");
        drop(self.more);
        self.patch.await.expect("an answer").expect(202);
        client.finish_upload(&self.upload, &digest_of(&self.blob), b"").await.expect(201);
        self.pulled.extend(self.pull.into_body().collect().await.expect("the blob is whole").to_bytes());
        assert!(self.pulled.len() == LONG_BYTES && self.pulled.starts_with(&self.blob), "other bytes than were pushed");
        client.get_blob(&self.repository, &digest_of(&self.blob)).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_transfers_come_to_their_end_while_their_node_is_drained_and_ends() {
    unless_stalled(STALL, async || {
        let Some(builder) = shared().await else { return };
        let mut cluster = builder.set("/http/limits/drainTimeout", "60s").start().await;
        cluster.all_nodes_up().await;
        let front = cluster.front().await;
        let client = front.client();
        let begun = repositories().into_iter().zip(0..).map(|(repository, seed)| Transfers::begin(&client, repository, seed));
        let transfers: Vec<Transfers> = stream::iter(begun).buffered(4).collect().await;
        cluster.drain("node-1").await;
        let node = cluster.node(1);
        let ends = transfers.into_iter().map(|transfers| transfers.end(&client));
        tokio::join!(node.terminate(), join_all(ends));
        cluster.remove("node-1").await;
        cluster.status_in_which("two nodes are left", |status| status.states.len() == 2).await;
    })
    .await;
}
