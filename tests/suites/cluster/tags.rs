//! Many writers at once, each through another gateway than its neighbour.

use std::time::Duration;

use futures::future::join_all;
use zot_services::{HttpProxy, Mood};
use zot_tests::{Client, Cluster, Image};

use crate::start::{shared, shared_endpoints, tell};

/// Pushes `count` manifests under as many tags of one repository at the same time, and looks for all of them through every gateway.
async fn all_tags_are_present(cluster: &Cluster, count: usize) {
    push_at_once(cluster, count).await;
    look_for_all(cluster, count).await;
}

fn repository(count: usize) -> String {
    format!("crowded/{count}")
}

fn tag(number: usize) -> String {
    format!("t{number:03}")
}

fn artifact(number: usize) -> Image {
    Image::artifact("application/vnd.example", number as u64, None)
}

async fn push_at_once(cluster: &Cluster, count: usize) {
    let clients: Vec<Client> = cluster.gateways().iter().map(|gateway| gateway.client()).collect();
    let repository = repository(count);
    clients[0].patient().push_blob(&repository, &artifact(0).config).await;
    let pushes = (0..count).map(|number| {
        let (client, repository) = (&clients[number % clients.len()], &repository);
        // A store that is slower than its clients may have them come again.
        async move {
            let tried = client.retry(|client| client.put_manifest(repository, &tag(number), &artifact(number).manifest)).await;
            tried.reply.expect(201);
            tried.failures
        }
    });
    let failures: usize = join_all(pushes).await.into_iter().sum();
    tell(&format!("{count} tags at the same time, {failures} requests had to be sent again"));
}

async fn look_for_all(cluster: &Cluster, count: usize) {
    let (repository, expected) = (repository(count), (0..count).map(tag).collect::<Vec<_>>());
    for client in cluster.gateways().iter().map(|gateway| gateway.client().patient()) {
        assert_eq!(client.tags(&repository).await, expected);
        for number in 0..count {
            let reply = client.get_manifest(&repository, &tag(number)).await.expect(200);
            assert_eq!(reply.header("docker-content-digest"), artifact(number).digest());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_24_and_of_240_concurrent_tags_none_is_lost() {
    let Some(builder) = shared().await else { return };
    let cluster = builder.start().await;
    for count in [24, 240] {
        all_tags_are_present(&cluster, count).await;
    }
}

/// A DynamoDB that has more to do than it can answers nobody in time, if all ask at once, and again when they get no answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_240_concurrent_tags_none_is_lost_though_dynamodb_serves_one_call_at_a_time() {
    let Some(mut endpoints) = shared_endpoints().await else { return };
    let proxy = HttpProxy::before(&mut endpoints.dynamodb).await;
    let cluster = Cluster::builder().shared(&endpoints).start().await;
    cluster.all_nodes_up().await;
    proxy.set(Mood::OneAtATime(Duration::from_millis(20)));
    push_at_once(&cluster, 240).await;
    proxy.set(Mood::Fair);
    look_for_all(&cluster, 240).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_240_concurrent_tags_none_is_lost_where_each_node_has_a_disk_of_its_own() {
    let cluster = Cluster::builder().start().await;
    all_tags_are_present(&cluster, 240).await;
}
