//! Nodes that come back at other addresses.

use super::network::{Cluster, all_up};

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_at_another_address_is_the_same_member() {
    let mut cluster = Cluster::up(3).await;
    let id = cluster.id(2);
    cluster.kill(2).await;
    cluster.move_to(2, "elsewhere:9090");
    cluster.start(2).await;
    for node in 1..=3 {
        let at_home = |view: &zot_cluster::View| view.member(id).is_some_and(|member| member.address == "elsewhere:9090");
        cluster.until(node, |view| all_up(view, 3) && at_home(view)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_all_of_whose_nodes_moved_finds_itself_by_its_configuration() {
    let mut cluster = Cluster::up(3).await;
    for node in 1..=3 {
        cluster.kill(node).await;
        cluster.move_to(node, &format!("moved{node}:9090"));
    }
    for node in 1..=3 {
        cluster.start(node).await;
    }
    let moved = |view: &zot_cluster::View| view.members.iter().all(|member| member.address.starts_with("moved"));
    for node in 1..=3 {
        cluster.until(node, |view| all_up(view, 3) && moved(view)).await;
    }
}
