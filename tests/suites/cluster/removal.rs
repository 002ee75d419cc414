//! Nodes that are removed: what is lost with them, and how they come back.

use zot_tests::{Client, Cluster, Image, wait};

use crate::start::{repositories, shared};

async fn push_to_all(client: &Client) {
    for repository in repositories() {
        client.patient().push_image(&repository, "v1", &Image::small(1)).await;
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
async fn a_node_that_was_removed_is_a_new_member_when_it_starts_again() {
    let Some(builder) = shared().await else { return };
    let mut cluster = builder.start().await;
    cluster.all_nodes_up().await;
    push_to_all(&cluster.gateway(0).client()).await;
    for runs_when_removed in [true, false] {
        if !runs_when_removed {
            assert!(cluster.node(1).terminate().await.success());
        }
        cluster.remove("node-1").await;
        cluster.status_in_which("two nodes are left", |status| status.up() == ["node-0", "node-2"]).await;
        if runs_when_removed {
            // Whoever supervises it has no reason to start it again.
            wait::until("it knows that it was removed", async || cluster.node(1).logs().text().contains("was removed from its cluster"))
                .await;
            assert!(cluster.node(1).is_running() && !cluster.is_ready(1).await);
            all_are_served(&mut cluster).await;
            assert!(cluster.node(1).terminate().await.success());
        }
        cluster.node(1).spawn();
        cluster.all_nodes_up().await;
        assert!(cluster.is_ready(1).await);
        all_are_served(&mut cluster).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_go_over_to_a_cluster_that_was_formed_anew() {
    let Some(builder) = shared().await else { return };
    let mut cluster = builder.start().await;
    cluster.all_nodes_up().await;
    push_to_all(&cluster.gateway(0).client()).await;
    // By the old cluster's numbers, the new one's first views are long known.
    for act in ["drain", "undrain", "drain", "undrain", "drain", "undrain"] {
        cluster.tell(act, &["node-0"]).await;
    }
    for number in 0..3 {
        cluster.node(number).kill9();
        std::fs::remove_dir_all(cluster.node(number).directory().join("cluster")).expect("the node's part of the cluster");
    }
    for number in 0..3 {
        cluster.node(number).spawn();
    }
    cluster.all_nodes_up().await;
    for number in 0..cluster.gateways().len() {
        let went_over = async || cluster.gateway(number).logs().text().contains("most of the configured nodes belong to cluster");
        wait::until("the gateway goes over", went_over).await;
    }
    all_are_served(&mut cluster).await;
}
