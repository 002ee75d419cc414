//! What the cluster agrees on, as a pure function of its log: who is present, who drains, and who runs which job.

mod command;
mod job;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use zot_cluster::{Member, NodeId, State as MemberState};

use crate::raft::{LogId, Membership, StoredMembership};
pub(crate) use command::{Command, Holder, Outcome, Turn};
pub(crate) use job::Job;

/// Everything agreed on, up to one entry of the log. Members are those of Raft's own membership: there is no second list that could differ.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Agreed {
    pub(crate) applied: Option<LogId>,
    pub(crate) membership: StoredMembership,
    /// The number of the view; 0 before the first.
    #[serde(default)]
    pub(crate) view: u64,
    /// Members that the leader does not hear from.
    #[serde(default)]
    silent: BTreeSet<NodeId>,
    #[serde(default)]
    draining: BTreeSet<NodeId>,
    #[serde(default)]
    pub(crate) jobs: BTreeMap<String, Job>,
}

impl Agreed {
    /// The members in the order of their identities.
    pub(crate) fn members(&self) -> Vec<Member> {
        let membership = self.membership.membership();
        let voters: BTreeSet<NodeId> = membership.voter_ids().collect();
        let member = |(&id, peer): (&NodeId, &crate::raft::Peer)| Member {
            id,
            name: peer.name.clone(),
            address: peer.address.clone(),
            state: self.member_state(id, voters.contains(&id)),
        };
        membership.nodes().map(member).collect()
    }

    /// Whether the leader hears from a member, as far as was agreed.
    pub(crate) fn is_present(&self, id: NodeId) -> bool {
        !self.silent.contains(&id)
    }

    /// Carries out a command.
    pub(crate) fn carry_out(&mut self, command: Command) -> Outcome {
        match command {
            Command::Presence { node, present } => self.mark(node, |agreed| &mut agreed.silent, !present),
            Command::Drain { node, draining } => self.mark(node, |agreed| &mut agreed.draining, draining),
            Command::Grant { job, turn, holder, length_ms } => self.jobs.entry(job).or_default().grant(turn, holder, length_ms),
            Command::Renew { job, epoch, holder } => self.job(&job, |job| job.renew(epoch, &holder)),
            Command::Release { job, epoch, holder } => self.job(&job, |job| job.release(epoch, &holder)),
            Command::RecordRun { job, epoch, at_unix_ms, result } => self.job(&job, |job| job.record_run(epoch, at_unix_ms, result)),
        }
    }

    /// Takes over a membership that Raft agreed on.
    pub(crate) fn follow(&mut self, log_id: LogId, membership: Membership) {
        self.silent.retain(|id| membership.get_node(id).is_some());
        self.draining.retain(|id| membership.get_node(id).is_some());
        self.membership = StoredMembership::new(Some(log_id), membership);
    }

    fn member_state(&self, id: NodeId, voter: bool) -> MemberState {
        match (voter, self.is_present(id), self.draining.contains(&id)) {
            (false, ..) => MemberState::Joining,
            (true, false, _) => MemberState::Down,
            (true, true, true) => MemberState::Draining,
            (true, true, false) => MemberState::Up,
        }
    }

    fn mark(&mut self, node: NodeId, set: impl FnOnce(&mut Self) -> &mut BTreeSet<NodeId>, marked: bool) -> Outcome {
        if self.membership.membership().get_node(&node).is_none() {
            return Outcome::Refused;
        }
        let set = set(self);
        if marked {
            set.insert(node)
        } else {
            set.remove(&node)
        };
        Outcome::Done
    }

    fn job(&mut self, name: &str, change: impl FnOnce(&mut Job) -> Outcome) -> Outcome {
        self.jobs.get_mut(name).map_or(Outcome::Refused, change)
    }
}

#[cfg(test)]
mod tests;
