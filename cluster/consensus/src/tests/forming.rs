//! How nodes find each other.

use crate::Standing;
use zot_cluster::{Loss, State};

use super::network::{Cluster, address, all_up};

#[tokio::test(start_paused = true)]
async fn a_lone_node_is_a_cluster_of_one() {
    let cluster = Cluster::up(1).await;
    let status = cluster.node(1).status().await.unwrap();
    assert_eq!((status.leader, status.view.members.len()), (Some(cluster.id(1)), 1));
}

#[tokio::test(start_paused = true)]
async fn three_nodes_form_a_cluster_in_any_order() {
    let mut cluster = Cluster::of(3);
    for node in [3, 1, 2] {
        cluster.start(node).await;
    }
    for node in 1..=3 {
        let view = cluster.until(node, |view| all_up(view, 3)).await;
        assert!(view.members.iter().any(|member| member.address == address(node)));
    }
    let views: Vec<_> = (1..=3).map(|node| cluster.view(node).unwrap().number).collect();
    assert!(views.iter().all(|number| *number == views[0]), "{views:?}");
}

#[tokio::test(start_paused = true)]
async fn a_first_node_alone_waits_and_says_for_what() {
    let mut cluster = Cluster::of(3);
    cluster.start(1).await;
    let waits = |standing: &Standing| matches!(standing, Standing::Waiting(reason) if reason.contains("n2:9090, n3:9090 do not answer"));
    cluster.until_standing(1, waits).await;
    assert_eq!(cluster.view(1), None);
    cluster.start(3).await;
    cluster.until(1, |view| all_up(view, 2)).await;
    cluster.start(2).await;
    cluster.until(2, |view| all_up(view, 3)).await;
}

#[tokio::test(start_paused = true)]
async fn a_first_node_that_lost_its_directory_takes_its_old_place() {
    let mut cluster = Cluster::up(3).await;
    let lost = cluster.id(1);
    cluster.kill(1).await;
    cluster.wipe(1);
    cluster.start(1).await;
    let new = cluster.id(1);
    assert_ne!(lost, new);
    for node in 1..=3 {
        let view = cluster.until(node, |view| all_up(view, 3) && view.member(new).is_some()).await;
        assert!(view.member(lost).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_node_that_lost_its_directory_forms_no_second_cluster() {
    let mut cluster = Cluster::up(3).await;
    cluster.kill(1).await;
    cluster.wipe(1);
    for other in [2, 3] {
        cluster.network.cut(&address(1), &address(other));
    }
    cluster.start(1).await;
    cluster.until_standing(1, |standing| matches!(standing, Standing::Waiting(reason) if reason.contains("do not answer"))).await;
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    assert_eq!(cluster.view(1), None);
    cluster.network.heal();
    cluster.until(1, |view| all_up(view, 3)).await;
}

/// Has a node ask to be removed itself.
async fn leave(cluster: &Cluster, node: usize) -> Result<(), crate::Error> {
    let node = cluster.node(node);
    node.remove(node.id(), Loss::Refused).await
}

#[tokio::test(start_paused = true)]
async fn a_cluster_grows_and_shrinks() {
    let mut cluster = Cluster::up(1).await;
    for node in 2..=4 {
        cluster.start_with_seeds(node, vec![address(1)]).await;
        cluster.until(node, |view| all_up(view, node)).await;
    }
    let leader = cluster.leader().await;
    let leaves: Vec<usize> = [leader].into_iter().chain((1..=4).filter(|node| *node != leader)).take(3).collect();
    for (index, node) in leaves.into_iter().enumerate() {
        leave(&cluster, node).await.unwrap();
        cluster.until_standing(node, |standing| *standing == Standing::Removed).await;
        cluster.kill(node).await;
        let stays = cluster.running()[0];
        cluster.until(stays, |view| all_up(view, 3 - index)).await;
    }
    let last = cluster.running()[0];
    let refused = leave(&cluster, last).await.unwrap_err();
    assert_eq!(refused, crate::Error::LastMember);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_waits_can_be_invited() {
    let mut cluster = Cluster::up(1).await;
    cluster.start_with_seeds(2, vec!["nobody:9090".to_owned(), address(2)]).await;
    cluster.until_standing(2, |standing| matches!(standing, Standing::Waiting(_))).await;
    cluster.node(1).join(&address(2)).await.unwrap();
    cluster.until(2, |view| all_up(view, 2)).await;
    let refused = cluster.node(1).join(&address(2)).await.unwrap_err();
    assert_eq!(refused, crate::Error::OtherCluster);
}

#[tokio::test(start_paused = true)]
async fn a_node_is_joining_until_it_has_caught_up() {
    let mut cluster = Cluster::up(1).await;
    cluster.start_with_seeds(2, vec![address(1)]).await;
    let id = cluster.id(2);
    let mut views = cluster.node(1).views();
    let joined = views.wait_for(|view| view.as_ref().is_some_and(|view| view.member(id).is_some())).await.unwrap().clone().unwrap();
    assert_eq!(joined.member(id).unwrap().state, State::Joining);
    cluster.until(1, |view| view.number > joined.number && all_up(view, 2)).await;
}
