//! What a cluster may say of itself.

use zot_cluster::{JobStatus, Member, NodeId, State, Status, Storage, View};

/// The status of a cluster of two nodes, 1 and 0x2a, the latter of which is down.
pub(super) fn status() -> Status {
    let member = |id, name: &str, state| Member { id: NodeId(id), name: name.to_owned(), address: format!("{name}:9090"), state };
    let members = vec![member(1, "node1", State::Up), member(0x2a, "node2", State::Down)];
    let job = JobStatus {
        name: "reap-uploads".to_owned(),
        holder: Some(NodeId(1)),
        epoch: 3,
        last_run_unix_ms: Some(1_000_000),
        last_result: Some("2 uploads".to_owned()),
    };
    let view = View { cluster: None, number: 7, storage: Storage::Shared, members };
    Status { node: NodeId(1), leader: Some(NodeId(1)), term: 4, view, jobs: vec![job] }
}
