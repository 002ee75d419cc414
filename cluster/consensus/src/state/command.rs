//! What is written to the log. Neighbouring releases read each other's: fields are only ever added, with a default.

use serde::{Deserialize, Serialize};
use zot_cluster::NodeId;

/// A change of what is agreed on. Each holds its own condition, so that a leader that judged by an older state changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    /// The leader began or ceased to hear from a member.
    Presence { node: NodeId, present: bool },
    /// An operator wants a member to own nothing, or to own its share again.
    Drain { node: NodeId, draining: bool },
    /// A job goes to a new holder, if nothing happened to it since `turn`.
    Grant { job: String, turn: Turn, holder: Holder, length_ms: u64 },
    /// The holder keeps a job for another length.
    Renew { job: String, epoch: u64, holder: Holder },
    /// The holder gives a job back.
    Release { job: String, epoch: u64, holder: Holder },
    /// The holder ran a job to its end.
    RecordRun { job: String, epoch: u64, at_unix_ms: u64, result: String },
}

/// Who asked for a job: a node, the run of its process, and the request, so that a request sent twice is granted once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) node: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) token: u64,
}

/// A point in the history of a job: its holder's epoch and how often that one renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) epoch: u64,
    pub(crate) renewals: u64,
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It was carried out.
    Done,
    /// Its condition did not hold.
    Refused,
    /// The job was granted under an epoch.
    Granted(u64),
}
