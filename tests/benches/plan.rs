//! How much load a run applies: every size, count and duration of the scenarios in one table.

use std::time::Duration;

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const GIB: u64 = 1 << 30;

/// The bounds of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What the run calls itself in its report.
    pub(crate) name: &'static str,
    /// Rounds of each server, in turn.
    pub(crate) rounds: u32,
    /// Load before the measured window.
    pub(crate) warmup: Duration,
    /// The measured window of a case in one round.
    pub(crate) window: Duration,
    /// A window ends early once it has moved this much, so that no disk fills.
    pub(crate) window_bytes_max: u64,
    /// Blob sizes pushed and pulled.
    pub(crate) blob_bytes: Vec<u64>,
    /// Concurrent clients of pushes and of blob pulls.
    pub(crate) clients: Vec<usize>,
    /// Concurrent clients of manifest pulls.
    pub(crate) manifest_clients: Vec<usize>,
    /// Names held where a scenario reads a few, and the length of a page.
    pub(crate) page: u64,
    /// Tags written into one repository.
    pub(crate) tags: u64,
    /// Sessions begun.
    pub(crate) sessions: u64,
    /// Repositories written, one small image each.
    pub(crate) repositories: u64,
    /// Repositories that receive the same layer.
    pub(crate) layer_repositories: u64,
    /// Size of each of the 16 transfers in flight.
    pub(crate) transfer_bytes: u64,
    /// Size of the one huge push, if it is made at all.
    pub(crate) huge_bytes: Option<u64>,
    /// Operations run under strace to count fsyncs.
    pub(crate) fsync_operations: u64,
    /// Or fewer, once they have moved this much.
    pub(crate) fsync_bytes_max: u64,
    /// Bytes hashed, received and written by the reference measure.
    pub(crate) reference_bytes: u64,
}

impl Plan {
    /// The run whose figures are quoted.
    pub(crate) fn standard() -> Self {
        Self {
            name: "standard",
            rounds: 2,
            warmup: Duration::from_millis(300),
            window: Duration::from_secs(2),
            window_bytes_max: 4 * GIB,
            blob_bytes: vec![KIB, MIB, 32 * MIB, 64 * MIB],
            clients: vec![1, 4, 16],
            manifest_clients: vec![1, 4, 16, 64],
            page: 100,
            tags: 10_000,
            sessions: 10_000,
            repositories: 10_000,
            layer_repositories: 1_000,
            transfer_bytes: 256 * MIB,
            huge_bytes: None,
            fsync_operations: 64,
            fsync_bytes_max: 256 * MIB,
            reference_bytes: GIB,
        }
    }

    /// Everything, with longer windows and one more round.
    pub(crate) fn full() -> Self {
        Self {
            name: "full",
            rounds: 3,
            warmup: Duration::from_secs(1),
            window: Duration::from_secs(5),
            window_bytes_max: 8 * GIB,
            huge_bytes: Some(5 * GIB),
            reference_bytes: 4 * GIB,
            ..Self::standard()
        }
    }

    /// Every scenario once, as small as it can be.
    pub(crate) fn quick() -> Self {
        Self {
            name: "quick",
            rounds: 1,
            warmup: Duration::from_millis(20),
            window: Duration::from_millis(100),
            window_bytes_max: 256 * MIB,
            blob_bytes: vec![KIB, 32 * MIB],
            clients: vec![4],
            manifest_clients: vec![4],
            page: 10,
            tags: 200,
            sessions: 100,
            repositories: 100,
            layer_repositories: 30,
            transfer_bytes: 8 * MIB,
            huge_bytes: None,
            fsync_operations: 4,
            fsync_bytes_max: 128 * MIB,
            reference_bytes: 128 * MIB,
        }
    }
}
