//! Messages from other nodes.

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest};
use tokio::time::Instant;
use zot_cluster::{ClusterId, NodeId};

use crate::{
    consensus::Consensus,
    error::{Contact, Error},
    node::Node,
    raft::{Snapshot, SnapshotMeta, Types, Vote},
    wire::{self, Answer, Envelope, Question, Request},
};

impl Consensus {
    /// Takes a message that another node's transport sent, and returns what to answer.
    ///
    /// # Errors
    /// The answer cannot be written. What goes wrong otherwise is part of the answer.
    pub async fn handle(&self, message: Bytes) -> Result<Bytes, Error> {
        let answer = match wire::read(&message) {
            Ok(envelope) => self.0.answer(envelope).await,
            // Said by a newer release, perhaps: the sender is told.
            Err(error) => Err(error),
        };
        wire::write(&answer)
    }
}

impl Node {
    async fn answer(&self, envelope: Envelope) -> Result<Answer, Error> {
        let Envelope { from, to, cluster, question } = envelope;
        if to.is_some_and(|to| to != self.id) {
            return Err(Error::OtherNode);
        }
        match question {
            Question::Hello => return Ok(Answer::Hello(self.own_hello())),
            Question::Invite => return self.be_invited(&from),
            _ if self.is_removed() => return Err(Error::Removed),
            _ => {}
        }
        self.check_cluster(cluster, &question).await?;
        self.outbound.met(&from);
        match question {
            Question::Append(request) => self.append(request).await,
            Question::Vote(request) => self.vote(request).await,
            Question::Snapshot { vote, meta, state } => self.install(vote, meta, state).await,
            Question::MayLead { last } => Ok(Answer::MayLead(self.would_vote(last))),
            Question::Present => self.present(&from).await,
            Question::Leave => {
                self.attendance.lock().forget(from.id);
                Ok(Answer::Done)
            }
            Question::Removed => self.hear_of_removal(&from).await,
            Question::Lead(request) => self.lead(request).await,
            Question::Hello | Question::Invite => Err(Error::Malformed("answered above".to_owned())),
        }
    }

    fn be_invited(&self, from: &Contact) -> Result<Answer, Error> {
        if self.outbound.cluster().is_some() {
            return Err(Error::OtherCluster);
        }
        let mut seeds = self.seeds.lock();
        if !seeds.contains(&from.address) {
            seeds.push(from.address.clone());
        }
        Ok(Answer::Done)
    }

    /// A node belongs to the first cluster whose Raft speaks to it by its identity, and to no other ever after.
    async fn check_cluster(&self, theirs: Option<ClusterId>, question: &Question) -> Result<(), Error> {
        let is_raft = matches!(question, Question::Append(_) | Question::Vote(_) | Question::Snapshot { .. });
        match (self.outbound.cluster(), theirs) {
            (Some(ours), Some(theirs)) if ours == theirs => Ok(()),
            // Whoever asks to join has none.
            (Some(_), None) if matches!(question, Question::Lead(Request::Join { .. })) => Ok(()),
            (None, Some(theirs)) if is_raft => self.belong_to(theirs, false).await,
            (None, _) => Err(Error::NoCluster),
            _ => Err(Error::OtherCluster),
        }
    }

    /// Belongs to a cluster from now on.
    pub(crate) async fn belong_to(&self, cluster: ClusterId, founded: bool) -> Result<(), Error> {
        if let Err(error) = self.store.set_cluster(cluster.clone(), founded).await {
            tracing::error!(error = %zot_runtime::telemetry::chain(&*error), "could not note which cluster this node belongs to");
            return Err(Error::Closed);
        }
        self.applied.set_cluster(cluster.clone());
        self.outbound.set_cluster(cluster);
        Ok(())
    }

    async fn append(&self, request: AppendEntriesRequest<Types>) -> Result<Answer, Error> {
        let leader = request.vote.leader_id().voted_for();
        let response = self.raft.append_entries(request).await.map_err(|_| Error::Closed)?;
        if !matches!(response, AppendEntriesResponse::HigherVote(_)) {
            self.leader_contact.lock().hear(leader, Instant::now());
        }
        Ok(Answer::Append(response))
    }

    async fn vote(&self, request: VoteRequest<NodeId>) -> Result<Answer, Error> {
        let response = self.raft.vote(request).await.map_err(|_| Error::Closed)?;
        if response.vote_granted {
            self.leader_contact.lock().vote(Instant::now());
        }
        Ok(Answer::Vote(response))
    }

    async fn install(&self, vote: Vote, meta: SnapshotMeta, state: String) -> Result<Answer, Error> {
        let leader = vote.leader_id().voted_for();
        let snapshot = Snapshot { meta, snapshot: Box::new(state) };
        let response = self.raft.install_full_snapshot(vote, snapshot).await.map_err(|_| Error::Closed)?;
        if response.vote <= vote {
            self.leader_contact.lock().hear(leader, Instant::now());
        }
        Ok(Answer::Snapshot(response))
    }

    /// Believes nobody at their word: it asks the leader before it takes itself for removed.
    async fn hear_of_removal(&self, from: &Contact) -> Result<Answer, Error> {
        self.check_membership(from).await;
        Ok(Answer::Done)
    }
}
