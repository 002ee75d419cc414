//! What a cluster says of itself to people and programs.

use serde::{Deserialize, Serialize};

use crate::{NodeId, View};

/// What one node knows of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The node that says so.
    pub node: NodeId,
    /// The leader that it knows of.
    pub leader: Option<NodeId>,
    /// The term of that leader.
    pub term: u64,
    /// The members.
    pub view: View,
    /// The jobs of which the cluster runs one at a time, in the order of their names.
    pub jobs: Vec<JobStatus>,
}

/// A job of which the cluster runs one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// The job's name.
    pub name: String,
    /// Who may run it now.
    pub holder: Option<NodeId>,
    /// Grows each time when somebody else gets it.
    pub epoch: u64,
    /// When it last ran to its end, in milliseconds since the Unix epoch.
    pub last_run_unix_ms: Option<u64>,
    /// What came of it.
    pub last_result: Option<String>,
}
