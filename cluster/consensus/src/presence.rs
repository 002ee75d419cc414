//! How the leader knows who is there, and how a node learns that it was removed.

use std::sync::{Arc, atomic::Ordering};

use tokio::time::{Instant, sleep};

use crate::{
    consensus::Standing,
    error::{Contact, Error},
    node::Node,
    raft::Peer,
    wire::{Answer, Question, Request},
};

impl Node {
    /// Lets the leader know that this node is there, for as long as it is a member.
    pub(crate) async fn be_present(self: Arc<Self>) {
        let mut round = 0;
        loop {
            sleep(self.timings().presence).await;
            if self.is_removed() {
                return;
            }
            if self.outbound.cluster().is_none() || self.aside.load(Ordering::Relaxed) {
                continue;
            }
            if self.leads() {
                self.be_member();
                self.correct_own_entry().await;
                continue;
            }
            if let Some(leader) = self.leader().filter(|leader| leader.id != self.id)
                && self.check_membership(&leader).await
            {
                continue;
            }
            // The leader that this node knows of does not answer: another member may know of another one.
            round += 1;
            if let Some(member) = self.other_member(round)
                && !self.check_membership(&member).await
            {
                // Members may have moved; the configuration knows where to.
                self.ask_around().await;
            }
        }
    }

    /// Tells the leader that this node is about to stop; if the message is lost, its silence says so too.
    pub(crate) async fn take_leave(&self) {
        if let Some(leader) = self.leader().filter(|leader| leader.id != self.id) {
            let told = self.outbound.ask_node(&leader, Question::Leave, self.timings().presence).await;
            tracing::debug!(reached = told.is_ok(), "told the leader that this node is about to stop");
        }
    }

    /// A member lets itself be heard. Whether it is one is only told by a leader that the others still follow.
    pub(crate) async fn present(&self, from: &Contact) -> Result<Answer, Error> {
        if !self.leads() {
            return Err(Error::NotLeader { leader: self.leader() });
        }
        if self.membership().get_node(&from.id).is_some() {
            self.attendance.lock().hear(from.id, Instant::now());
            return Ok(Answer::Present(true));
        }
        let confirmed = tokio::time::timeout(self.timings().operation, self.raft.ensure_linearizable()).await;
        match confirmed {
            Ok(Ok(_)) => Ok(Answer::Present(self.membership().get_node(&from.id).is_some())),
            _ => Err(Error::NotLeader { leader: None }),
        }
    }

    /// Lets a node hear from this one, and if it does not lead, whom it says leads. Returns whether the leader answered.
    pub(crate) async fn check_membership(&self, asked: &Contact) -> bool {
        let address = self.outbound.address_of(asked);
        match self.outbound.say_present(&address, Some(asked.id), self.timings().presence * 2).await {
            Ok(true) => {
                self.be_member();
                self.correct_own_entry().await;
                true
            }
            Ok(false) => {
                if *self.standing.borrow() == Standing::Member {
                    self.end_as(Standing::Removed).await;
                } else if self.returns {
                    self.end_as(Standing::Forgotten).await;
                }
                // Another one is about to join, perhaps again: the leader that let it in may have been gone before others knew of it.
                true
            }
            Err(_) => false,
        }
    }

    /// Knows from now on that this node is a member.
    pub(crate) fn be_member(&self) {
        self.standing.send_if_modified(|standing| {
            let waits = matches!(standing, Standing::Waiting(_));
            if waits {
                *standing = Standing::Member;
            }
            waits
        });
    }

    fn other_member(&self, round: usize) -> Option<Contact> {
        let membership = self.membership();
        let others: Vec<Contact> = membership
            .nodes()
            .filter(|(id, _)| **id != self.id)
            .map(|(id, peer)| Contact { id: *id, address: peer.address.clone() })
            .collect();
        (!others.is_empty()).then(|| others[round % others.len()].clone())
    }

    /// Tells the others when this node came back under another name or address than they know.
    async fn correct_own_entry(&self) {
        let mine = Peer { name: self.options.name.clone(), address: self.options.address.clone() };
        if self.membership().get_node(&self.id).is_some_and(|known| *known != mine) {
            let request = Request::Join { id: self.id, peer: mine, storage: self.options.storage };
            if let Err(error) = self.request(request).await {
                tracing::warn!(%error, "could not tell the cluster this node's new name or address");
            }
        }
    }
}
