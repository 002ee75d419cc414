//! What a node is told at its start, and how it reaches the others.

use std::{fmt::Debug, path::PathBuf, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use zot_cluster::Storage;

use crate::error::BoxError;

/// What a node is told at its start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the node's identity, Raft's log and snapshots lie; only this process may use it.
    pub directory: PathBuf,
    /// What people call the node.
    pub name: String,
    /// Where the others reach its internal plane, as `host:port`.
    pub address: String,
    /// What the members keep content in; the same on all of them.
    pub storage: Storage,
    /// The addresses of the nodes of the configuration, in the same order everywhere; its own may be among them. The first one forms the cluster.
    /// With none, or only its own, the node forms a cluster of one.
    pub seeds: Vec<String>,
    /// How long things take.
    pub timings: Timings,
    /// After how many entries of the log a snapshot takes their place.
    pub snapshot_entries: u64,
    /// What all random numbers of this run of the node follow from: given in simulations only, where a node waits for its disk on the spot. Two
    /// nodes, or two runs, must not have the same.
    pub seed: Option<u64>,
}

impl Options {
    /// Entries of the log between snapshots, where nothing else is said.
    pub const SNAPSHOT_ENTRIES: u64 = 1000;
}

/// How long things take. Every node of a cluster should be told the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timings {
    /// How often the leader lets its followers know that it leads. Also how long it waits for the answer to an entry.
    pub heartbeat: Duration,
    /// How long a follower that heard from the leader neither looks for another nor votes for one. Several heartbeats.
    pub leadership: Duration,
    /// How often a node lets the leader know that it is there.
    pub presence: Duration,
    /// After how long a silence the leader marks a member as down.
    pub silence: Duration,
    /// How long an operation may take before it fails.
    pub operation: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(150),
            leadership: Duration::from_secs(1),
            presence: Duration::from_millis(500),
            silence: Duration::from_secs(2),
            operation: Duration::from_secs(5),
        }
    }
}

impl Timings {
    /// These timings, all `times` as long.
    pub fn scaled(&self, times: f64) -> Self {
        Self {
            heartbeat: self.heartbeat.mul_f64(times),
            leadership: self.leadership.mul_f64(times),
            presence: self.presence.mul_f64(times),
            silence: self.silence.mul_f64(times),
            operation: self.operation.mul_f64(times),
        }
    }
}

/// How messages reach other nodes.
///
/// # Contract
/// - The bytes reach [`crate::Consensus::handle`] of the node at the address, and what that returns comes back.
/// - A call returns within the time it is given.
/// - A message may be lost, doubled or late; it is never altered.
/// - Only nodes of the cluster can send: whoever can, may say anything.
#[async_trait]
pub trait Transport: Send + Sync + Debug {
    /// Sends a message to the node at an address and returns its answer.
    async fn call(&self, address: &str, message: Bytes, within: Duration) -> Result<Bytes, TransportError>;
}

/// A message got no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nobody is there: the message was certainly not handled.
    #[error("reach the node")]
    Unreachable(#[source] BoxError),
    /// The message may have been handled or not.
    #[error("exchange a message with the node")]
    Failed(#[source] BoxError),
}
