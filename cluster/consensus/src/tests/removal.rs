//! Nodes that are removed.

use zot_cluster::{Loss, NodeId, State};

use super::network::{Cluster, all_up, is};
use crate::{Error, OpenError, Standing};

/// Removes a node by the word of another one.
async fn remove(cluster: &Cluster, by: usize, id: NodeId) {
    cluster.node(by).remove(id, Loss::Refused).await.unwrap();
}

/// The leader, and a node that is another one.
async fn leader_and_other(cluster: &Cluster) -> (usize, usize) {
    let leader = cluster.leader().await;
    (leader, leader % 3 + 1)
}

#[tokio::test(start_paused = true)]
async fn nobody_is_removed_without_whom_the_others_could_not_agree() {
    let mut cluster = Cluster::up(3).await;
    let (leader, down) = leader_and_other(&cluster).await;
    let (needed, lost) = (6 - leader - down, cluster.id(down));
    cluster.kill(down).await;
    cluster.until(leader, |view| is(view, lost, State::Down)).await;
    let refused = cluster.node(leader).remove(cluster.id(needed), Loss::Refused).await.unwrap_err();
    assert_eq!(refused, Error::NoMajority { silent: vec![format!("n{down}")] });
    remove(&cluster, needed, lost).await;
    cluster.until(needed, |view| all_up(view, 2)).await;
    let id = cluster.id(needed);
    remove(&cluster, leader, id).await;
    cluster.until(leader, |view| all_up(view, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_alone_has_its_repositories_is_drained_never_and_removed_only_with_their_loss() {
    let mut cluster = Cluster::up_with_disks(3).await;
    let leader = cluster.leader().await;
    // The first one has the records of users, too.
    for (node, users) in [(1, true), (3, false)] {
        let (id, name) = (cluster.id(node), format!("n{node}"));
        for by in 1..=3 {
            let refused = cluster.node(by).remove(id, Loss::Refused).await.unwrap_err();
            assert_eq!(refused, Error::KeepsRepositories { name: name.clone(), users });
            assert_eq!(cluster.node(by).drain(id).await.unwrap_err(), Error::NoHeir { name: name.clone() });
        }
    }
    assert!(all_up(&cluster.view(leader).unwrap(), 3));
    let (stays, goes) = (leader, leader % 3 + 1);
    cluster.node(stays).remove(cluster.id(goes), Loss::Accepted).await.unwrap();
    cluster.until(stays, |view| all_up(view, 2)).await;
    cluster.until_standing(goes, |standing| *standing == Standing::Removed).await;
    cluster.kill(goes).await;
    let refused = cluster.try_start(goes).await.unwrap_err();
    assert!(matches!(refused, OpenError::Removed { .. }), "{refused}");
}
