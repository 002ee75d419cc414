//! Processes that die: what they served is served by others, without a human.

use std::time::Duration;

use futures::future::join_all;
use zot_tests::{Client, Image, sandbox::Signal};

use crate::start::{repositories, shared, spread, tell};

/// Pushes an image to every repository.
async fn push_to_all(client: &Client, image: &Image) {
    join_all(repositories().iter().map(|repository| client.push_image(repository, "before", image))).await;
}

/// Reads and moves a tag of every repository at once, trying again until it works. How long that took, reads first.
async fn work_again(client: &Client, image: &Image) -> [Vec<Duration>; 2] {
    let repositories = repositories();
    let gaps = join_all(repositories.iter().map(|repository| async move {
        let read = client.retry(|client| client.get_manifest(repository, "before")).await;
        assert_eq!(read.reply.expect(200).header("docker-content-digest"), image.digest());
        let written = client.retry(|client| client.put_manifest(repository, "after", &image.manifest)).await;
        written.reply.expect(201);
        (read.took, read.took + written.took)
    }))
    .await;
    let (reads, writes) = gaps.into_iter().unzip();
    [reads, writes]
}

fn tell_gaps(of: &str, [reads, writes]: [Vec<Duration>; 2]) {
    tell(&format!("{of}: reads again after {}; writes again after {}", spread(reads), spread(writes)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_repositories_of_a_killed_node_answer_again() {
    let Some(builder) = shared().await else { return };
    let mut cluster = builder.start().await;
    cluster.all_nodes_up().await;
    let front = cluster.front().await;
    let image = Image::small(1);
    push_to_all(&front.client(), &image).await;
    for number in 0..3 {
        cluster.node(number).kill9();
        tell_gaps(&format!("kill -9 node {number}"), work_again(&front.client(), &image).await);
        cluster.node(number).spawn();
        cluster.all_nodes_up().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_repositories_of_a_frozen_node_answer_again_and_it_comes_back() {
    let Some(builder) = shared().await else { return };
    let mut cluster = builder.start().await;
    cluster.all_nodes_up().await;
    let front = cluster.front().await;
    let image = Image::small(1);
    push_to_all(&front.client(), &image).await;
    cluster.node(0).signal(Signal::STOP);
    tell_gaps("SIGSTOP node 0", work_again(&front.client(), &image).await);
    cluster.node(0).signal(Signal::CONT);
    cluster.all_nodes_up().await;
    tell_gaps("SIGCONT node 0", work_again(&front.client(), &image).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_killed_gateway_try_again_and_succeed() {
    let Some(builder) = shared().await else { return };
    let mut cluster = builder.start().await;
    cluster.all_nodes_up().await;
    let front = cluster.front().await;
    let image = Image::small(1);
    push_to_all(&front.client(), &image).await;
    for number in 0..2 {
        cluster.gateway(number).kill9();
        tell_gaps(&format!("kill -9 gateway {number}"), work_again(&front.client(), &image).await);
        cluster.gateway(number).spawn();
        cluster.ready().await;
    }
}
