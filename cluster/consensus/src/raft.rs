//! The types that Raft is run with here.

use serde::{Deserialize, Serialize};
use zot_cluster::NodeId;

use crate::state::{Command, Outcome};

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Command,
        R = Outcome,
        NodeId = NodeId,
        Node = Peer,
        // A state as JSON: it is small enough to travel in one message.
        SnapshotData = String,
);

/// What Raft's membership knows of a node besides its identity.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) address: String,
}

pub(crate) type Raft = openraft::Raft<Types>;
pub(crate) type Entry = openraft::Entry<Types>;
pub(crate) type LogId = openraft::LogId<NodeId>;
pub(crate) type Vote = openraft::Vote<NodeId>;
pub(crate) type Membership = openraft::Membership<NodeId, Peer>;
pub(crate) type StoredMembership = openraft::StoredMembership<NodeId, Peer>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<NodeId, Peer>;
pub(crate) type Snapshot = openraft::Snapshot<Types>;
pub(crate) type StorageError = openraft::StorageError<NodeId>;
