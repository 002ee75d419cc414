//! What happens when nodes stop, and come back.

use std::time::Duration;

use crate::Error;
use tokio::time::Instant;
use zot_cluster::{Loss, State};

use super::network::{Cluster, PATIENCE, address, all_up, is};

#[tokio::test(start_paused = true)]
async fn a_view_without_a_killed_leader_is_there_within_three_seconds() {
    let mut cluster = Cluster::up(3).await;
    for _ in 0..10 {
        let leader = cluster.leader().await;
        let (lost, begun) = (cluster.id(leader), Instant::now());
        cluster.kill(leader).await;
        let stays = cluster.running()[0];
        let next = cluster.leader().await;
        let elected = begun.elapsed();
        cluster.until(stays, |view| is(view, lost, State::Down)).await;
        println!("n{next} leads after {elected:?}, n{leader} is down after {:?}", begun.elapsed());
        assert!(begun.elapsed() <= Duration::from_secs(3), "{:?}", begun.elapsed());
        cluster.start(leader).await;
        for node in 1..=3 {
            cluster.until(node, |view| all_up(view, 3)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_follower_is_down_and_then_up_again() {
    let mut cluster = Cluster::up(3).await;
    let leader = cluster.leader().await;
    let follower = (1..=3).find(|node| *node != leader).unwrap();
    let (lost, before) = (cluster.id(follower), cluster.node(leader).status().await.unwrap().term);
    cluster.kill(follower).await;
    cluster.until(leader, |view| is(view, lost, State::Down)).await;
    cluster.start(follower).await;
    cluster.until(follower, |view| all_up(view, 3)).await;
    assert_eq!(cluster.node(leader).status().await.unwrap().term, before, "no election was held");
}

#[tokio::test(start_paused = true)]
async fn a_whole_cluster_starts_again_from_disk_in_any_order() {
    let mut cluster = Cluster::up(3).await;
    let before = cluster.view(1).unwrap();
    for node in 1..=3 {
        cluster.kill(node).await;
    }
    for node in [2, 3, 1] {
        cluster.start(node).await;
    }
    for node in 1..=3 {
        let view = cluster.until(node, |view| all_up(view, 3)).await;
        let ids = |view: &zot_cluster::View| view.members.iter().map(|member| member.id).collect::<Vec<_>>();
        assert_eq!(ids(&view), ids(&before));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lone_node_starts_again_at_once() {
    let mut cluster = Cluster::up(1).await;
    cluster.kill(1).await;
    cluster.start(1).await;
    cluster.until(1, |view| all_up(view, 1)).await;
    let begun = Instant::now();
    cluster.node(1).drain(cluster.id(1)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_isolated_node_that_returns_does_not_depose_the_leader() {
    let cluster = Cluster::up(3).await;
    let leader = cluster.leader().await;
    let away = (1..=3).find(|node| *node != leader).unwrap();
    let before = cluster.node(leader).status().await.unwrap();
    cluster.isolate(away);
    cluster.until(leader, |view| is(view, cluster.id(away), State::Down)).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    cluster.network.heal();
    cluster.until(away, |view| all_up(view, 3)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = cluster.node(leader).status().await.unwrap();
    assert_eq!((after.leader, after.term), (before.leader, before.term));
}

#[tokio::test(start_paused = true)]
async fn an_isolated_leader_is_replaced_and_follows_when_it_returns() {
    let cluster = Cluster::up(3).await;
    let old = cluster.leader().await;
    let others: Vec<usize> = (1..=3).filter(|node| *node != old).collect();
    cluster.isolate(old);
    let without = cluster.until(others[0], |view| is(view, cluster.id(old), State::Down)).await;
    let refused = cluster.node(old).drain(cluster.id(old)).await.unwrap_err();
    let Error::NoMajority { mut silent } = refused.clone() else { panic!("{refused}") };
    silent.sort();
    assert_eq!(silent, others.iter().map(|node| format!("n{node}")).collect::<Vec<_>>());
    assert!(cluster.view(old).unwrap().members.iter().all(|member| member.state == State::Up), "it agrees on nothing by itself");
    cluster.network.heal();
    cluster.until(old, |view| view.number > without.number && all_up(view, 3)).await;
    let status = cluster.node(old).status().await.unwrap();
    assert_ne!(status.leader, Some(cluster.id(old)));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_hears_nobody_takes_nobody_for_down_and_gives_way() {
    let cluster = Cluster::up(3).await;
    let old = cluster.leader().await;
    let others: Vec<usize> = (1..=3).filter(|node| *node != old).collect();
    cluster.network.put_out_of_reach(&address(old));
    let begun = Instant::now();
    let mut views = cluster.node(others[0]).views();
    let led_by_another = async {
        while !others.contains(&cluster.leader().await) {
            let view = views.borrow_and_update().clone().unwrap();
            assert!(others.iter().all(|node| is(&view, cluster.id(*node), State::Up)), "{view:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, led_by_another).await.expect("the others elect one of them");
    println!("another one leads after {:?}", begun.elapsed());
    // It follows, and is no member less: it lets itself be heard.
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(others.contains(&cluster.leader().await));
    assert!(all_up(&cluster.view(others[1]).unwrap(), 3));
    cluster.network.heal();
    cluster.until(old, |view| all_up(view, 3)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_out_of_the_leaders_reach_alone_holds_no_election() {
    let cluster = Cluster::up(3).await;
    let leader = cluster.leader().await;
    let away = (1..=3).find(|node| *node != leader).unwrap();
    let before = cluster.node(leader).status().await.unwrap().term;
    cluster.network.cut(&address(leader), &address(away));
    cluster.network.cut(&address(away), &address(leader));
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(cluster.node(leader).status().await.unwrap().term, before);
}

#[tokio::test(start_paused = true)]
async fn a_drained_member_stays_drained_over_a_restart() {
    let mut cluster = Cluster::up(3).await;
    let drained = cluster.id(3);
    cluster.node(1).drain(drained).await.unwrap();
    cluster.until(2, |view| is(view, drained, State::Draining)).await;
    cluster.kill(3).await;
    cluster.until(2, |view| is(view, drained, State::Down)).await;
    cluster.start(3).await;
    cluster.until(2, |view| is(view, drained, State::Draining)).await;
    cluster.node(3).undrain(drained).await.unwrap();
    cluster.until(1, |view| all_up(view, 3)).await;
    let unknown = cluster.node(1).drain(zot_cluster::NodeId(9)).await.unwrap_err();
    assert_eq!(unknown, Error::UnknownMember(zot_cluster::NodeId(9)));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_steps_aside_is_down_at_once_and_up_when_it_starts_again() {
    let mut cluster = Cluster::up(3).await;
    let leader = cluster.leader().await;
    for node in [leader, leader % 3 + 1] {
        let (id, begun) = (cluster.id(node), Instant::now());
        assert!(cluster.node(node).step_aside(Duration::from_secs(5)).await);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(is(&cluster.view(node).unwrap(), id, State::Down), "it stays aside");
        cluster.kill(node).await;
        cluster.start(node).await;
        cluster.until(node, |view| all_up(view, 3)).await;
    }
    let two = Cluster::up(2).await;
    assert!(two.node(3 - two.leader().await).step_aside(Duration::from_secs(5)).await, "although that leaves the leader alone");
    let alone = Cluster::up(1).await;
    assert!(!alone.node(1).step_aside(Duration::from_secs(5)).await, "nobody could take its share");
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_the_members_cannot_change() {
    let mut cluster = Cluster::up(2).await;
    let stays = cluster.leader().await;
    let lost = 3 - stays;
    let id = cluster.id(lost);
    cluster.kill(lost).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let refused = cluster.node(stays).remove(id, Loss::Refused).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("no majority: n{lost} does not answer"));
    cluster.start(lost).await;
    let removing = async {
        while cluster.node(stays).remove(id, Loss::Refused).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, removing).await.expect("the majority is back");
    cluster.until(stays, |view| all_up(view, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_away_for_long_is_caught_up_by_a_snapshot() {
    let mut cluster = Cluster::of(3);
    cluster.snapshot_entries = 20;
    for node in 1..=3 {
        cluster.start(node).await;
    }
    cluster.until(3, |view| all_up(view, 3)).await;
    cluster.kill(3).await;
    let drained = cluster.id(2);
    for _ in 0..300 {
        cluster.node(1).drain(drained).await.unwrap();
    }
    cluster.start(3).await;
    cluster.until(3, |view| is(view, drained, State::Draining)).await;
    for node in 1..=3 {
        cluster.kill(node).await;
    }
    for node in 1..=3 {
        cluster.start(node).await;
    }
    cluster.until(1, |view| is(view, drained, State::Draining) && is(view, view.members[0].id, view.members[0].state)).await;
}
