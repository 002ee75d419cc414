//! When to hold an election.
//!
//! openraft 0.9 knows no pre-vote: left to itself, a node that is cut off raises its term at each of its elections, and the first message it
//! answers afterwards makes the leader resign. So openraft's own elections are off, and a node stands for election only after a majority has
//! said that it, too, hears no leader and would vote for it. A node that is cut off never gets that far: its term stays, and its return
//! disturbs nobody.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use openraft::ServerState;
use tokio::time::{Instant, sleep};
use zot_cluster::NodeId;

use crate::{
    error::Contact,
    node::Node,
    raft::{LogId, Membership},
    wire::{Answer, Question},
};

/// Elections in a row after which the pauses between them grow no further.
const ATTEMPTS_MAX: u32 = 5;

impl Node {
    /// Holds an election whenever the leader is gone.
    pub(crate) async fn watch_leader(self: Arc<Self>) {
        let mut attempts = 0;
        while !self.is_removed() {
            sleep(self.timings().heartbeat / 2).await;
            let membership = self.membership();
            if !self.misses_leader(&membership) {
                attempts = 0;
                continue;
            }
            if !self.would_be_elected(&membership).await {
                continue;
            }
            // Whoever else stands is probably not so slow or so fast by exactly the same.
            sleep(self.pause(attempts, membership.voter_ids().count())).await;
            if self.misses_leader(&self.membership()) {
                attempts = (attempts + 1).min(ATTEMPTS_MAX);
                tracing::info!(node = %self.id, "no leader is heard, standing for election");
                if self.raft.trigger().elect().await.is_err() {
                    return;
                }
                // Time for the votes to come in.
                sleep(self.timings().heartbeat).await;
            }
        }
    }

    /// The members of Raft, as of the end of this node's log.
    pub(crate) fn membership(&self) -> Membership {
        self.raft.metrics().borrow().membership_config.membership().clone()
    }

    /// Whether this node would vote for one whose log ends at `last`.
    pub(crate) fn would_vote(&self, last: Option<LogId>) -> bool {
        let is_leading = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow();
            metrics.state == ServerState::Leader && self.has_majority(metrics.millis_since_quorum_ack)
        };
        let mine = self.raft.data_metrics().borrow().last_log;
        !is_leading && last >= mine && self.has_lost_leader()
    }

    fn has_lost_leader(&self) -> bool {
        let timings = self.timings();
        self.leader_contact.lock().is_lost(Instant::now(), timings.leadership, timings.heartbeat * 2)
    }

    fn misses_leader(&self, membership: &Membership) -> bool {
        let state = self.raft.metrics().borrow().state;
        let voters: Vec<NodeId> = membership.voter_ids().collect();
        state != ServerState::Leader && voters.contains(&self.id) && (voters == [self.id] || self.has_lost_leader())
    }

    /// Asks the voters, and stops when enough of them agree.
    async fn would_be_elected(&self, membership: &Membership) -> bool {
        let last = self.raft.data_metrics().borrow().last_log;
        let others = membership.nodes().filter(|(id, _)| **id != self.id);
        let mut answers: FuturesUnordered<_> = others
            .map(|(id, peer)| {
                let voter = Contact { id: *id, address: peer.address.clone() };
                async move {
                    let answer = self.outbound.ask_node(&voter, Question::MayLead { last }, self.timings().heartbeat * 2).await;
                    matches!(answer, Ok(Answer::MayLead(true))).then_some(voter.id)
                }
            })
            .collect();
        let mut agreeing = vec![self.id];
        while !is_majority(membership, &agreeing) {
            match answers.next().await {
                Some(answer) => agreeing.extend(answer),
                None => return false,
            }
        }
        true
    }

    fn pause(&self, attempts: u32, voters: usize) -> Duration {
        if voters == 1 {
            return Duration::ZERO;
        }
        let longest = self.timings().heartbeat * 2 * (attempts + 1);
        longest.mul_f64(self.random.fraction())
    }
}

/// Whether nodes are a majority of every set of voters: while the members change, there are two.
pub(crate) fn is_majority(membership: &Membership, nodes: &[NodeId]) -> bool {
    membership.get_joint_config().iter().all(|voters| nodes.iter().filter(|id| voters.contains(id)).count() * 2 > voters.len())
}
