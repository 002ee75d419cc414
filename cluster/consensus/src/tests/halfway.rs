//! Changes of the members that their leader leaves half-way, because it is killed: the next leader finishes them, or nobody heard of them.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use zot_cluster::{Loss, NodeId, State};

use super::network::{Cluster, PATIENCE, address, all_up, is};
use crate::{Standing, raft::Membership};

/// How long a message takes: long enough to see who has heard of a change, and that nobody has acknowledged it yet.
const DELAY: Duration = Duration::from_millis(5);

/// How far a change has come, by the log of one node.
type Stage = fn(&Membership, NodeId) -> bool;

const JOINS: Stage = |membership, id| membership.get_node(&id).is_some() && !is_joint(membership);
const JOINT: Stage = |membership, _| is_joint(membership);

fn is_joint(membership: &Membership) -> bool {
    membership.get_joint_config().len() > 1
}

/// Three nodes whose messages take a while; the leader first.
async fn slow_cluster() -> (Cluster, [usize; 3]) {
    let cluster = Cluster::up(3).await;
    let leader = cluster.leader().await;
    cluster.network.trouble(DELAY, None);
    (cluster, [leader, leader % 3 + 1, (leader + 1) % 3 + 1])
}

/// Kills the leader as soon as the change of a member has come so far by the log of `node`, and no further.
async fn kill_leader_at(cluster: &mut Cluster, leader: usize, stage: Stage, (node, id): (usize, NodeId)) {
    let reached = async {
        while !stage(&cluster.node(node).0.membership(), id) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("the change begins");
    cluster.kill(leader).await;
    // What is still on its way comes to nothing, where the network is cut.
    sleep(DELAY * 2).await;
}

/// Waits until a node knows of no change that is under way.
async fn settled(cluster: &Cluster, node: usize) {
    let settling = async {
        while is_joint(&cluster.node(node).0.membership()) {
            sleep(DELAY).await;
        }
    };
    timeout(PATIENCE, settling).await.expect("the change is finished");
}

/// Starts the killed leader again and waits until all nodes agree that they are members and up.
async fn all_agree(cluster: &mut Cluster, killed: usize, members: usize) {
    cluster.network.heal();
    cluster.start(killed).await;
    for node in cluster.running() {
        cluster.until(node, |view| all_up(view, members)).await;
        settled(cluster, node).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_joining_was_left_half_way_joins_by_the_next_leader() {
    for stage in [JOINS, JOINT] {
        for cut_other in [false, true] {
            let (mut cluster, [leader, follower, other]) = slow_cluster().await;
            if cut_other {
                cluster.network.cut(&address(leader), &address(other));
            }
            cluster.start(4).await;
            let id = cluster.id(4);
            kill_leader_at(&mut cluster, leader, stage, (follower, id)).await;
            cluster.network.heal();
            // The others go on without the one that began it.
            cluster.until(follower, |view| is(view, id, State::Up)).await;
            all_agree(&mut cluster, leader, 4).await;
            assert_eq!(cluster.id(4), id);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_alone_heard_that_it_joins_asks_again() {
    let (mut cluster, [leader, follower, other]) = slow_cluster().await;
    for others in [follower, other] {
        cluster.network.cut(&address(leader), &address(others));
    }
    cluster.start_with_seeds(4, vec![address(leader), address(follower)]).await;
    let id = cluster.id(4);
    kill_leader_at(&mut cluster, leader, JOINS, (4, id)).await;
    assert!([follower, other].iter().all(|node| cluster.node(*node).0.membership().get_node(&id).is_none()));
    cluster.network.heal();
    // The others let it in, before the one that did so first is back.
    cluster.until(follower, |view| is(view, id, State::Up)).await;
    all_agree(&mut cluster, leader, 4).await;
    assert_eq!(cluster.id(4), id);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_was_left_half_way_is_finished_by_the_next_leader() {
    for cut_other in [false, true] {
        let (mut cluster, [leader, follower, removed]) = slow_cluster().await;
        if cut_other {
            cluster.network.cut(&address(leader), &address(removed));
        }
        let (id, leading) = (cluster.id(removed), cluster.node(leader).clone());
        let removing = tokio::spawn(async move { leading.remove(id, Loss::Refused).await });
        kill_leader_at(&mut cluster, leader, JOINT, (follower, id)).await;
        removing.abort();
        cluster.network.heal();
        cluster.start(leader).await;
        for node in [leader, follower] {
            cluster.until(node, |view| all_up(view, 2) && view.member(id).is_none()).await;
            settled(&cluster, node).await;
        }
        cluster.until_standing(removed, |standing| *standing == Standing::Removed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_nobody_heard_of_did_not_happen() {
    let (mut cluster, [leader, follower, stays]) = slow_cluster().await;
    for others in [follower, stays] {
        cluster.network.cut(&address(leader), &address(others));
    }
    let (id, leading) = (cluster.id(stays), cluster.node(leader).clone());
    let removing = tokio::spawn(async move { leading.remove(id, Loss::Refused).await });
    kill_leader_at(&mut cluster, leader, JOINT, (leader, id)).await;
    removing.abort();
    cluster.network.heal();
    // Another one leads before the one that heard of it is back.
    cluster.leader().await;
    all_agree(&mut cluster, leader, 3).await;
    assert_eq!(*cluster.node(stays).standing().borrow(), Standing::Member);
}
