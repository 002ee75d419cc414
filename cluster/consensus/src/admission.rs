//! How the leader takes nodes in and lets them go. A node first follows the log, and votes once it has caught up.

use std::collections::BTreeSet;

use openraft::ChangeMembers;
use tokio::time::{Instant, timeout};
use zot_cluster::{Loss, NodeId, Storage};

use crate::{
    consensus::Standing,
    error::{Contact, Error},
    node::Node,
    raft::{Membership, Peer},
    state::{Command, Outcome},
    wire::{Answer, Question},
};

/// A node has caught up when it lacks at most this many entries of the log.
const LAG_ENTRIES_MAX: u64 = 8;

impl Node {
    /// Begins to take a node in, or takes note that a member goes by another name or address.
    pub(crate) async fn admit(&self, id: NodeId, peer: Peer, storage: Storage) -> Result<Answer, Error> {
        if storage != self.options.storage {
            return Err(Error::OtherStorage);
        }
        let _changing = self.begin_change().await?;
        match self.membership().get_node(&id) {
            Some(known) if *known == peer => return Ok(Answer::Done),
            // Safe, because a node answers only to its own identity.
            Some(_) => self.change(ChangeMembers::SetNodes([(id, peer)].into()), true).await?,
            None if storage == Storage::Local => return Err(Error::FixedMembers),
            None => {
                tracing::info!(node = %id, name = peer.name, address = peer.address, "{} joins the cluster", peer.name);
                self.forget_learners_at(&peer.address).await?;
                self.change(ChangeMembers::AddNodes([(id, peer)].into()), true).await?;
            }
        }
        Ok(Answer::Done)
    }

    /// Lets a member own nothing, or its share again.
    pub(crate) async fn drain_member(&self, id: NodeId, draining: bool) -> Result<Answer, Error> {
        if draining && self.options.storage == Storage::Local {
            return Err(Error::NoHeir { name: self.name_of(id)? });
        }
        match self.write(Command::Drain { node: id, draining }).await? {
            Outcome::Refused => Err(Error::UnknownMember(id)),
            _ => Ok(Answer::Done),
        }
    }

    /// Removes a member and lets it know.
    pub(crate) async fn remove_member(&self, id: NodeId, loss: Loss) -> Result<Answer, Error> {
        if loss == Loss::Refused && self.options.storage == Storage::Local {
            return Err(Error::KeepsRepositories { name: self.name_of(id)?, users: self.keeps_users(id) });
        }
        let changing = self.begin_change().await?;
        let member = self.contact(id).ok_or(Error::UnknownMember(id))?;
        let voters: BTreeSet<NodeId> = self.membership().voter_ids().collect();
        if voters == [id].into() {
            return Err(Error::LastMember);
        }
        self.expect_majority_without(id)?;
        let change = if voters.contains(&id) { ChangeMembers::RemoveVoters([id].into()) } else { ChangeMembers::RemoveNodes([id].into()) };
        self.change(change, false).await?;
        drop(changing);
        tracing::info!(node = %id, "removed {id} from the cluster");
        self.let_go(member).await;
        Ok(Answer::Done)
    }

    /// One step towards members that all vote: finishes a change that a former leader began, or takes in a node that has caught up. A node that
    /// has the address of another replaces it.
    pub(crate) async fn settle_membership(&self) {
        let membership = self.membership();
        let target = match membership.get_joint_config().as_slice() {
            [_, target] => Some(target.clone()),
            _ => self.caught_up(&membership).map(|id| with(&membership, id)),
        };
        let Some(target) = target else { return };
        let Ok(_changing) = self.changing.try_lock() else { return };
        let replaced: Vec<Contact> = membership.voter_ids().filter(|id| !target.contains(id)).filter_map(|id| self.contact(id)).collect();
        match self.change(ChangeMembers::ReplaceAllVoters(target), false).await {
            Ok(()) => {
                tracing::info!(members = %names(&self.membership()), "the members of the cluster are {}", names(&self.membership()));
                for member in replaced {
                    self.let_go(member).await;
                }
            }
            Err(error) => tracing::debug!(%error, "could not settle the members of the cluster"),
        }
    }

    /// Nodes that never caught up, and whose place another one takes now.
    async fn forget_learners_at(&self, address: &str) -> Result<(), Error> {
        let membership = self.membership();
        let is_there = |id: &NodeId| membership.get_node(id).is_some_and(|peer| peer.address == address);
        let gone: BTreeSet<NodeId> = membership.learner_ids().filter(is_there).collect();
        if gone.is_empty() { Ok(()) } else { self.change(ChangeMembers::RemoveNodes(gone), false).await }
    }

    /// Those who stay must be able to agree: otherwise nobody could ever change anything again.
    fn expect_majority_without(&self, id: NodeId) -> Result<(), Error> {
        let stay: Vec<NodeId> = self.membership().voter_ids().filter(|voter| *voter != id).collect();
        let silent = self.silent_among(&stay);
        if silent.len() * 2 < stay.len() { Ok(()) } else { Err(Error::NoMajority { silent }) }
    }

    fn name_of(&self, id: NodeId) -> Result<String, Error> {
        self.membership().get_node(&id).map(|peer| peer.name.clone()).ok_or(Error::UnknownMember(id))
    }

    fn keeps_users(&self, id: NodeId) -> bool {
        self.applied.views().borrow().as_ref().and_then(|view| view.keeper_of_users()).is_some_and(|keeper| keeper.id == id)
    }

    async fn begin_change(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Error> {
        timeout(self.timings().operation, self.changing.lock()).await.map_err(|_| Error::Busy)
    }

    async fn change(&self, change: ChangeMembers<NodeId, Peer>, retain: bool) -> Result<(), Error> {
        self.within_operation(self.raft.change_membership(change, retain)).await.map(drop)
    }

    /// A node that follows, is there, and lacks next to nothing of the log.
    fn caught_up(&self, membership: &Membership) -> Option<NodeId> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let (last, followers) = (metrics.last_log_index?, metrics.replication.as_ref()?);
        let attendance = self.attendance.lock();
        let is_there = |id: &NodeId| attendance.is_present(*id, Instant::now(), self.timings().silence);
        let lag = |id: &NodeId| followers.get(id).copied().flatten().map(|matched| last.saturating_sub(matched.index));
        membership.learner_ids().find(|id| is_there(id) && lag(id).is_some_and(|lag| lag <= LAG_ENTRIES_MAX))
    }

    /// Tells a member that it was removed; if the message is lost, it finds out by asking.
    async fn let_go(&self, member: Contact) {
        if member.id == self.id {
            // The others have to hear that the change is final: it is this node that tells them.
            tokio::time::sleep(self.timings().heartbeat * 3).await;
            self.end_as(Standing::Removed).await;
        } else {
            let told = self.outbound.ask_node(&member, Question::Removed, self.timings().presence).await;
            tracing::debug!(node = %member.id, reached = told.is_ok(), "told a node that it was removed");
        }
    }
}

/// The voters with a node among them, without those that had its address before.
fn with(membership: &Membership, id: NodeId) -> BTreeSet<NodeId> {
    let address = |id: &NodeId| membership.get_node(id).map(|peer| peer.address.as_str());
    let stays = |voter: &NodeId| address(voter) != address(&id);
    membership.voter_ids().filter(stays).chain([id]).collect()
}

fn names(membership: &Membership) -> String {
    let voters: BTreeSet<NodeId> = membership.voter_ids().collect();
    let names: Vec<&str> = membership.nodes().filter(|(id, _)| voters.contains(id)).map(|(_, peer)| peer.name.as_str()).collect();
    names.join(", ")
}
