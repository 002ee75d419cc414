//! Nodes that are removed, and what is lost with them.

use zot_tests::{Client, Cluster, Image};

use crate::start::repositories;

async fn push_to_all(client: &Client) {
    for repository in repositories() {
        client.push_image(&repository, "v1", &Image::small(1)).await;
    }
}

async fn all_are_served(cluster: &mut Cluster) {
    for number in 0..cluster.gateways().len() {
        let client = cluster.gateway(number).client();
        for repository in repositories() {
            let found = client.retry(|client| client.get_manifest(&repository, "v1")).await.reply.expect(200);
            assert!(found.body == Image::small(1).manifest.bytes);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_disk_of_its_own_is_removed_only_if_its_repositories_may_be_lost() {
    let mut cluster = Cluster::builder().start().await;
    cluster.all_nodes_up().await;
    push_to_all(&cluster.gateway(0).client()).await;
    for act in ["drain", "remove"] {
        let said = cluster.refuses(act, &["node-1"]).await;
        assert!(said.contains("its disk alone has the repositories of `node-1`"), "{said}");
    }
    cluster.all_nodes_up().await;
    all_are_served(&mut cluster).await;
    cluster.tell("remove", &["node-1", "--lose-repositories"]).await;
    cluster.status_in_which("two nodes are left", |status| status.up() == ["node-0", "node-2"]).await;
}
