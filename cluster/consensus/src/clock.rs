//! When this node last heard from others. All of it is measured with the clock that never jumps.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;
use zot_cluster::NodeId;

/// What a node knows of the leader's life, by which it decides about elections.
#[derive(Debug)]
pub(crate) struct LeaderContact {
    /// When a leader last let this node know that it leads, and who that was.
    heard: Instant,
    leader: Option<NodeId>,
    /// When this node last voted for somebody.
    voted: Option<Instant>,
}

impl LeaderContact {
    pub(crate) fn new(now: Instant) -> Self {
        // A node that starts waits as if it had just heard: there is a leader more often than not.
        Self { heard: now, leader: None, voted: None }
    }

    pub(crate) fn hear(&mut self, leader: Option<NodeId>, now: Instant) {
        self.heard = now;
        self.leader = leader;
    }

    pub(crate) fn vote(&mut self, now: Instant) {
        self.voted = Some(now);
    }

    /// Whether there was neither a leader for as long as `leadership` nor a candidate that this node voted for within `candidacy`.
    pub(crate) fn is_lost(&self, now: Instant, leadership: Duration, candidacy: Duration) -> bool {
        now - self.heard > leadership && self.voted.is_none_or(|voted| now - voted > candidacy)
    }

    /// The last leader other than oneself, and when it was heard.
    pub(crate) fn last(&self) -> Option<(NodeId, Instant)> {
        self.leader.map(|leader| (leader, self.heard))
    }
}

/// What a leader knows of the members' lives.
#[derive(Debug, Default)]
pub(crate) struct Attendance {
    heard: BTreeMap<NodeId, Instant>,
    /// Members that said that they are about to stop.
    left: BTreeSet<NodeId>,
    /// The term that this node leads in, and when it last looked.
    leading: Option<(u64, Instant)>,
}

/// How the leader judges members.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// After how long a silence a member is down.
    pub(crate) silence: Duration,
    /// How often members let the leader know that they are there.
    pub(crate) presence: Duration,
}

impl Attendance {
    /// A member let itself be heard.
    pub(crate) fn hear(&mut self, id: NodeId, now: Instant) {
        self.heard.insert(id, now);
        self.left.remove(&id);
    }

    /// A member said that it is about to stop: it is not waited for.
    pub(crate) fn forget(&mut self, id: NodeId) {
        self.left.insert(id);
    }

    /// This node does not lead.
    pub(crate) fn rest(&mut self) {
        self.leading = None;
    }

    /// Looks around as the leader of a term. A leader that is new, or was itself away for a while, has no reason yet to think that anybody is
    /// silent: everybody gets a full interval, except the leader before, which was last heard when it last led.
    pub(crate) fn look(&mut self, now: Instant, term: u64, before: Option<(NodeId, Instant)>, members: &[NodeId], patience: Patience) {
        let goes_on = self.leading.is_some_and(|(led, looked)| led == term && now - looked <= patience.silence / 2);
        let is_new = self.leading.is_none_or(|(led, _)| led != term);
        self.leading = Some((term, now));
        if goes_on {
            for id in members {
                self.heard.entry(*id).or_insert(now);
            }
            return;
        }
        self.heard = members.iter().map(|id| (*id, now)).collect();
        self.left.clear();
        if let Some((leader, heard)) = before.filter(|(leader, _)| is_new && members.contains(leader)) {
            // Time for one more message: it may only now have learned whom to send it to.
            let least = now.checked_sub(patience.silence).map_or(now, |earliest| earliest + patience.presence * 2);
            self.heard.insert(leader, heard.max(least));
        }
    }

    /// Whether a member that did not say that it would stop was not heard for longer than is allowed.
    pub(crate) fn is_missed(&self, id: NodeId, now: Instant, silence: Duration) -> bool {
        !self.left.contains(&id) && !self.is_present(id, now, silence)
    }

    /// Whether a member was heard within the silence that is allowed.
    pub(crate) fn is_present(&self, id: NodeId, now: Instant, silence: Duration) -> bool {
        !self.left.contains(&id) && self.heard.get(&id).is_some_and(|heard| now - *heard <= silence)
    }
}
