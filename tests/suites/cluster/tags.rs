//! Many writers at once, each through another gateway than its neighbour.

use futures::future::join_all;
use zot_tests::{Client, Cluster, Image};

use crate::start::{shared, tell};

/// Pushes `count` manifests under as many tags of one repository at the same time, and looks for all of them through every gateway.
async fn all_tags_are_present(cluster: &Cluster, count: usize) {
    let clients: Vec<Client> = cluster.gateways().iter().map(|gateway| gateway.client()).collect();
    let repository = format!("crowded/{count}");
    let artifact = |number: usize| Image::artifact("application/vnd.example", number as u64, None);
    clients[0].push_blob(&repository, &artifact(0).config).await;
    let tag = |number: usize| format!("t{number:03}");
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
    let expected: Vec<String> = (0..count).map(tag).collect();
    for client in &clients {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_240_concurrent_tags_none_is_lost_where_each_node_has_a_disk_of_its_own() {
    let cluster = Cluster::builder().start().await;
    all_tags_are_present(&cluster, 240).await;
}
