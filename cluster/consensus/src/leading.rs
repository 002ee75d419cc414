//! What only the leader does: it carries out requests, watches who is there, and takes caught-up nodes in.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use openraft::{
    ServerState,
    error::{ChangeMembershipError, ClientWriteError, RaftError},
};
use tokio::time::{Instant, sleep, timeout};
use zot_cluster::{JobStatus, NodeId, State, Status, View};

use crate::{
    election::is_majority,
    error::{Contact, Error},
    node::Node,
    raft::{Peer, Types},
    state::{Command, Job, Outcome},
    wire::{Answer, Request},
};

/// How often within its patience the leader looks around.
const LOOKS_PER_SILENCE: u32 = 8;

pub(crate) type WriteResult = Result<openraft::raft::ClientWriteResponse<Types>, RaftError<NodeId, ClientWriteError<NodeId, Peer>>>;

impl Node {
    /// Carries out a request, if this node leads.
    pub(crate) async fn lead(&self, request: Request) -> Result<Answer, Error> {
        if !self.leads() {
            return Err(Error::NotLeader { leader: self.leader().filter(|leader| leader.id != self.id) });
        }
        match request {
            Request::Join { id, peer, storage } => self.admit(id, peer, storage).await,
            Request::Drain { id, draining } => self.drain_member(id, draining).await,
            Request::Remove { id, loss } => self.remove_member(id, loss).await,
            Request::Lease { job, holder, length_ms } => self.grant(job, holder, length_ms).await,
            Request::Renew { job, epoch, holder } => self.write_if(Command::Renew { job, epoch, holder }).await,
            Request::Release { job, epoch, holder } => self.write_if(Command::Release { job, epoch, holder }).await,
            Request::RecordRun { job, epoch, at_unix_ms, result } => {
                self.write_if(Command::RecordRun { job, epoch, at_unix_ms, result }).await
            }
            Request::Status => self.status().map(|status| Answer::Status(Box::new(status))),
        }
    }

    pub(crate) fn leads(&self) -> bool {
        self.raft.metrics().borrow().state == ServerState::Leader
    }

    /// Whether enough members answered lately; `None` is a leader that has just begun.
    pub(crate) fn has_majority(&self, millis_since_quorum_ack: Option<u64>) -> bool {
        millis_since_quorum_ack.is_none_or(|millis| Duration::from_millis(millis) <= self.timings().silence)
    }

    /// Writes a command to the log and waits until it is carried out.
    pub(crate) async fn write(&self, command: Command) -> Result<Outcome, Error> {
        self.within_operation(self.raft.client_write(command)).await.map(|response| response.data)
    }

    async fn write_if(&self, command: Command) -> Result<Answer, Error> {
        Ok(Answer::Held(self.write(command).await? != Outcome::Refused))
    }

    /// Bounds a change of the log. One that a leader without followers began would only wait in its log: it is not begun.
    pub(crate) async fn within_operation<F: Future<Output = WriteResult>>(
        &self,
        change: F,
    ) -> Result<openraft::raft::ClientWriteResponse<Types>, Error> {
        let since_ack = self.raft.metrics().borrow().millis_since_quorum_ack;
        if !self.has_majority(since_ack) {
            return Err(self.no_majority());
        }
        match timeout(self.timings().operation, change).await {
            Ok(result) => result.map_err(refusal),
            Err(_) => Err(self.no_majority()),
        }
    }

    fn no_majority(&self) -> Error {
        let voters: Vec<NodeId> = self.membership().voter_ids().collect();
        Error::NoMajority { silent: self.silent_among(&voters) }
    }

    /// The names of those members that this node does not hear from, as the leader.
    pub(crate) fn silent_among(&self, members: &[NodeId]) -> Vec<String> {
        let term = self.raft.metrics().borrow().current_term;
        if self.leads() {
            self.look_around(term);
        }
        let (attendance, now, silence) = (self.attendance.lock(), Instant::now(), self.timings().silence);
        let silent = |(id, _): &(&NodeId, &Peer)| **id != self.id && members.contains(id) && !attendance.is_present(**id, now, silence);
        self.membership().nodes().filter(silent).map(|(_, peer)| peer.name.clone()).collect()
    }

    /// What the cluster is like, as far as this node knows.
    pub(crate) fn status(&self) -> Result<Status, Error> {
        let view = self.applied.views().borrow().clone().ok_or(Error::NoCluster)?;
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let jobs = self.applied.with(|agreed| agreed.jobs.iter().map(|(name, job)| self.job_status(name, job)).collect());
        Ok(Status { node: self.id, leader: metrics.current_leader, term: metrics.current_term, view: View::clone(&view), jobs })
    }

    fn job_status(&self, name: &str, job: &Job) -> JobStatus {
        JobStatus {
            name: name.to_owned(),
            holder: job.holder.as_ref().map(|holder| holder.node),
            epoch: job.turn.epoch,
            last_run_unix_ms: job.last_run_unix_ms,
            last_result: job.last_result.clone(),
        }
    }

    /// Looks after the members for as long as this node leads, now and whenever it does again.
    pub(crate) async fn lead_cluster(self: Arc<Self>) {
        while !self.is_removed() {
            sleep(self.timings().silence / LOOKS_PER_SILENCE).await;
            let (leading, term, since_ack) = {
                let metrics = self.raft.metrics();
                let metrics = metrics.borrow();
                (metrics.state == ServerState::Leader, metrics.current_term, metrics.millis_since_quorum_ack)
            };
            if !leading {
                self.attendance.lock().rest();
                continue;
            }
            self.look_around(term);
            if !self.has_majority(since_ack) {
                continue;
            }
            if self.is_out_of_reach() {
                self.give_way().await;
            } else {
                self.note_presence().await;
                self.settle_membership().await;
            }
        }
    }

    /// Whether so many voters that answer are silent of their own accord that they could elect another leader without this node.
    fn is_out_of_reach(&self) -> bool {
        let (membership, now, silence) = (self.membership(), Instant::now(), self.timings().silence);
        let attendance = self.attendance.lock();
        let missed = membership.voter_ids().filter(|id| *id != self.id && attendance.is_missed(*id, now, silence));
        is_majority(&membership, &missed.collect::<Vec<_>>())
    }

    /// Keeps still for as long as the others need to elect another leader. They answer this one and do not reach it: it would take them for down,
    /// and they could ask nothing of it.
    async fn give_way(&self) {
        tracing::warn!("the other nodes answer this one and do not reach it: they are to elect another leader");
        self.raft.runtime_config().heartbeat(false);
        sleep(self.timings().leadership * 2).await;
        self.raft.runtime_config().heartbeat(true);
    }

    fn look_around(&self, term: u64) {
        let (members, timings) = (self.membership(), self.timings());
        let members: Vec<NodeId> = members.nodes().map(|(id, _)| *id).collect();
        let patience = crate::clock::Patience { silence: timings.silence, presence: timings.presence };
        let now = Instant::now();
        let mut attendance = self.attendance.lock();
        let before = self.leader_contact.lock().last();
        attendance.look(now, term, before, &members, patience);
        if self.aside.load(Ordering::Relaxed) {
            attendance.forget(self.id);
        } else {
            attendance.hear(self.id, now);
        }
    }

    /// Has the cluster agree on who is there, where that changed.
    async fn note_presence(&self) {
        let members = self.applied.with(|agreed| agreed.members());
        for member in members.iter().filter(|member| member.state != State::Joining) {
            let present = self.attendance.lock().is_present(member.id, Instant::now(), self.timings().silence);
            if present == self.applied.with(|agreed| agreed.is_present(member.id)) {
                continue;
            }
            match self.write(Command::Presence { node: member.id, present }).await {
                Ok(_) if present => tracing::info!(node = %member.id, name = member.name, "{} is up again", member.name),
                Ok(_) => {
                    tracing::warn!(node = %member.id, name = member.name, "{} is down: it has not been heard for a while", member.name)
                }
                Err(error) => {
                    tracing::debug!(%error, "could not agree on the state of {}", member.name);
                    return;
                }
            }
        }
    }

    /// A node as others reach it.
    pub(crate) fn contact(&self, id: NodeId) -> Option<Contact> {
        self.membership().get_node(&id).map(|peer| Contact { id, address: peer.address.clone() })
    }
}

fn refusal(error: RaftError<NodeId, ClientWriteError<NodeId, Peer>>) -> Error {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => {
            let leader = forward.leader_id.zip(forward.leader_node);
            Error::NotLeader { leader: leader.map(|(id, peer)| Contact { id, address: peer.address }) }
        }
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => match error {
            ChangeMembershipError::InProgress(_) => Error::Busy,
            ChangeMembershipError::EmptyMembership(_) => Error::LastMember,
            ChangeMembershipError::LearnerNotFound(missing) => Error::UnknownMember(missing.node_id),
        },
        RaftError::Fatal(_) => Error::Closed,
    }
}
