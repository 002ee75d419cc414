//! Nodes that are removed, and what becomes of them when they start again.

use std::time::Duration;

use zot_cluster::{Loss, NodeId, State};

use super::network::{Cluster, address, all_up, is};
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
async fn a_node_that_runs_when_it_is_removed_stays_away_until_it_starts_again_as_a_new_one() {
    let mut cluster = Cluster::up(3).await;
    let (leader, removed) = leader_and_other(&cluster).await;
    let old = cluster.id(removed);
    remove(&cluster, leader, old).await;
    cluster.until_standing(removed, |standing| *standing == Standing::Removed).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(all_up(&cluster.view(leader).unwrap(), 2), "it does not come back by itself");
    assert_eq!(cluster.view(removed), None, "it knows of no view any more");
    assert_eq!(cluster.node(removed).status().await.unwrap_err(), Error::Removed);
    assert_eq!(cluster.node(removed).lease("sweep", Duration::from_secs(1)).await.unwrap_err(), Error::Removed);
    cluster.kill(removed).await;
    cluster.start(removed).await;
    assert_ne!(cluster.id(removed), old);
    cluster.until(removed, |view| all_up(view, 3) && view.member(old).is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_removed_while_its_process_did_not_run_starts_as_a_new_one() {
    let mut cluster = Cluster::up(3).await;
    let (leader, away) = leader_and_other(&cluster).await;
    let old = cluster.id(away);
    cluster.kill(away).await;
    remove(&cluster, leader, old).await;
    cluster.start(away).await;
    assert_ne!(cluster.id(away), old);
    cluster.until(away, |view| all_up(view, 3) && view.member(old).is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_removed_while_its_process_did_not_run_that_reaches_nobody_at_first_is_to_start_again() {
    let mut cluster = Cluster::up(3).await;
    let (leader, away) = leader_and_other(&cluster).await;
    let old = cluster.id(away);
    cluster.kill(away).await;
    remove(&cluster, leader, old).await;
    for other in (1..=3).filter(|other| *other != away) {
        cluster.network.cut(&address(away), &address(other));
    }
    cluster.start(away).await;
    assert_eq!(cluster.id(away), old);
    cluster.network.heal();
    cluster.until_standing(away, |standing| *standing == Standing::Forgotten).await;
    cluster.kill(away).await;
    cluster.start(away).await;
    cluster.until(away, |view| all_up(view, 3) && view.member(old).is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_removed_while_it_was_cut_off_learns_of_it_and_stays_away() {
    let mut cluster = Cluster::up(3).await;
    let (leader, away) = leader_and_other(&cluster).await;
    let removed = cluster.id(away);
    cluster.isolate(away);
    remove(&cluster, leader, removed).await;
    cluster.until(leader, |view| all_up(view, 2)).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    cluster.network.heal();
    cluster.until_standing(away, |standing| *standing == Standing::Removed).await;
    cluster.kill(away).await;
    cluster.wipe(away);
    cluster.start(away).await;
    cluster.until(away, |view| all_up(view, 3)).await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_node_that_starts_again_forms_no_cluster() {
    let mut cluster = Cluster::up(3).await;
    let (leader, _) = leader_and_other(&cluster).await;
    let others: Vec<usize> = (1..=3).filter(|node| *node != leader).collect();
    for node in &others {
        let id = cluster.id(*node);
        remove(&cluster, leader, id).await;
        cluster.until_standing(*node, |standing| *standing == Standing::Removed).await;
        cluster.kill(*node).await;
    }
    // They are most of the configured nodes, and the one that has the cluster does not answer.
    for node in &others {
        cluster.network.cut(&address(*node), &address(leader));
        cluster.start(*node).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(others.iter().all(|node| cluster.view(*node).is_none()));
    cluster.network.heal();
    cluster.until(leader, |view| all_up(view, 3)).await;
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
