//! What nodes say to each other, as JSON: fields that a release does not know are passed over, fields that it misses have defaults.

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zot_cluster::{ClusterId, Loss, NodeId, Status, Storage};

use crate::{
    error::{Contact, Error},
    raft::{LogId, Peer, SnapshotMeta, Types, Vote},
    state::Holder,
};

/// A message with who sends it and whom it is for: a node answers only for itself and its cluster, whoever has its address.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) from: Contact,
    #[serde(default)]
    pub(crate) to: Option<NodeId>,
    #[serde(default)]
    pub(crate) cluster: Option<ClusterId>,
    pub(crate) question: Question,
}

/// What one node asks another.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    /// Who are you?
    Hello,
    /// Come to the cluster that I belong to.
    Invite,
    /// Raft: these entries come next.
    Append(AppendEntriesRequest<Types>),
    /// Raft: vote for me.
    Vote(VoteRequest<NodeId>),
    /// Raft: begin from here.
    Snapshot { vote: Vote, meta: SnapshotMeta, state: String },
    /// Would you vote for me, whose log ends here?
    MayLead { last: Option<LogId> },
    /// I am here.
    Present,
    /// I am about to stop.
    Leave,
    /// You were removed.
    Removed,
    /// Do this, as the leader.
    Lead(Request),
}

/// What only the leader does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    Join {
        id: NodeId,
        peer: Peer,
        storage: Storage,
    },
    Drain {
        id: NodeId,
        draining: bool,
    },
    Remove {
        id: NodeId,
        #[serde(default)]
        loss: Loss,
    },
    Lease {
        job: String,
        holder: Holder,
        length_ms: u64,
    },
    Renew {
        job: String,
        epoch: u64,
        holder: Holder,
    },
    Release {
        job: String,
        epoch: u64,
        holder: Holder,
    },
    RecordRun {
        job: String,
        epoch: u64,
        at_unix_ms: u64,
        result: String,
    },
    Status,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Hello(Hello),
    Append(AppendEntriesResponse<NodeId>),
    Vote(VoteResponse<NodeId>),
    Snapshot(SnapshotResponse<NodeId>),
    /// Whether it would.
    MayLead(bool),
    /// Whether the sender is a member.
    Present(bool),
    Done,
    /// Whether a condition held.
    Held(bool),
    /// The epoch of a lease that was granted.
    Leased(Option<u64>),
    Status(Box<Status>),
}

/// What a node says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) id: NodeId,
    pub(crate) name: String,
    /// The cluster it belongs to.
    #[serde(default)]
    pub(crate) cluster: Option<ClusterId>,
    /// Whether there is a cluster that it can only go back to, also if it does not belong to it any more.
    #[serde(default)]
    pub(crate) bound: bool,
}

/// Writes a message.
pub(crate) fn write<T: Serialize>(message: &T) -> Result<Bytes, Error> {
    serde_json::to_vec(message).map(Bytes::from).map_err(|error| Error::Malformed(error.to_string()))
}

/// Reads a message.
pub(crate) fn read<T: DeserializeOwned>(message: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(message).map_err(|error| Error::Malformed(error.to_string()))
}
