//! Nodes that come and go while everybody else goes on.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::task::JoinHandle;
use zot_tests::{Client, Front, Image};

use crate::start::{repositories, shared, tell};

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
    tell(&format!("{requests} requests while a node joined, none failed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_a_node_is_drained_and_removed() {
    let Some(builder) = shared().await else { return };
    let mut cluster = builder.start().await;
    let front = cluster.front().await;
    push_to_all(&front).await;
    let worker = Worker::start(front.client());
    cluster.drain("node-1").await;
    cluster.node(1).terminate().await;
    cluster.remove("node-1").await;
    let requests = worker.stop().await;
    cluster.status_in_which("two nodes are left", |status| status.states.len() == 2 && status.up() == ["node-0", "node-2"]).await;
    tell(&format!("{requests} requests while a node was drained and removed, none failed"));
}
