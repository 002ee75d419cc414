//! A node whose disk takes no more of its log, in the middle of what it serves: it ends, and nothing that is under way is cut.

use std::io;

use bytes::Bytes;
use futures::{SinkExt as _, channel::mpsc, future::join_all};
use tokio::task::JoinHandle;
use zot_tests::{
    Client, Cluster, Reply,
    cluster::{Builder, Services},
    content::bytes,
    digest_of,
    sandbox::OUTAGE,
    skip::skip,
    wait,
};

use crate::{
    NODE_ENDS,
    disk::{Disk, PLAIN},
};

/// The node whose disk is full.
const STRUCK: usize = 0;
const DISK_MEBIBYTES: u64 = 64;
/// Uploads at a time, each to a repository of its own: enough for every node to have some.
const UPLOADS: u64 = 9;
/// Pieces that a body is sent in at first, and at last: of more than can be on its way between a client and the node, and than is sent again.
const PIECES: [usize; 2] = [12, 1];
const PIECE_BYTES: usize = 1 << 20;

/// An upload in one request, of which the most is sent.
struct Upload {
    repository: String,
    location: String,
    content: Bytes,
    more: mpsc::Sender<io::Result<Bytes>>,
    answer: JoinHandle<Reply>,
}

impl Upload {
    async fn begin(client: &Client, number: u64) -> Self {
        let repository = format!("team-{number}/app");
        let location = client.start_upload(&repository).await;
        let (more, body) = mpsc::channel(0);
        let (sender, path) = (client.clone(), location.clone());
        let answer = tokio::spawn(async move { sender.patch(&path).header("content-type", "application/octet-stream").stream(body).await });
        let content = bytes(number, PIECES.iter().sum::<usize>() * PIECE_BYTES).into();
        let mut upload = Self { repository, location, content, more, answer };
        upload.send(0..PIECES[0]).await;
        upload
    }

    async fn send(&mut self, pieces: std::ops::Range<usize>) {
        for piece in pieces {
            let begin = piece * PIECE_BYTES;
            self.more.send(Ok(self.content.slice(begin..begin + PIECE_BYTES))).await.expect("the upload is read");
        }
    }

    /// Sends the rest in the same request, then ends the upload.
    async fn end(mut self, client: &Client) {
        self.send(PIECES[0]..PIECES[0] + PIECES[1]).await;
        drop(self.more);
        self.answer.await.expect("an answer").expect(202);
        let digest = digest_of(&self.content);
        client.finish_upload(&self.location, &digest, b"").await.expect(201);
        let blob = client.get_blob(&self.repository, &digest).await.expect(200);
        assert!(blob.body == self.content, "other bytes than were pushed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_write_its_log_finishes_the_requests_under_way_before_it_ends() {
    let name = "a_node_that_cannot_write_its_log_finishes_the_requests_under_way_before_it_ends";
    if let Err(reason) = Services::available() {
        return skip(name, &reason);
    }
    let endpoints = Services::shared().await.endpoints();
    let Some(disk) = Disk::new(name, DISK_MEBIBYTES, PLAIN) else { return };
    let builder = Cluster::builder().sized(1, 3).shared(&endpoints).set("/http/limits/drainTimeout", "120s");
    let mut cluster = OUTAGE.into_iter().chain(NODE_ENDS).fold(builder, Builder::tolerate_errors).prepare();
    let directory = disk.path().join("cluster");
    cluster.node(STRUCK).set("/cluster/directory", directory.to_str().expect("a readable path"));
    cluster.start().await;
    cluster.all_nodes_up().await;
    let client = cluster.gateway(0).client();
    let uploads = join_all((0..UPLOADS).map(|number| Upload::begin(&client, number))).await;
    disk.fill(0);
    let ends = "this process has to end, finishing requests under way";
    wait::until("the node has to end", async || !cluster.node(STRUCK).logs().with_message(ends).is_empty()).await;
    join_all(uploads.into_iter().map(|upload| upload.end(&client))).await;
    wait::until("the node ends by itself", async || cluster.node(STRUCK).has_ended()).await;
    disk.free();
    cluster.start().await;
    cluster.all_nodes_up().await;
}
