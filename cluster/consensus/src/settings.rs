//! How openraft is set. It holds no elections of its own: see `election.rs`.

use std::time::Duration;

use openraft::{Config, SnapshotPolicy};

use crate::{
    error::BoxError,
    options::{Options, Timings},
};

/// Entries of the log that are kept although a snapshot holds them, for followers that are a little behind.
const KEPT_ENTRIES: u64 = 200;

/// Most entries in one message.
const MESSAGE_ENTRIES_MAX: u64 = 64;

/// What openraft is told, if it makes sense.
pub(crate) fn config(options: &Options) -> Result<Config, BoxError> {
    let Timings { heartbeat, leadership, operation, .. } = &options.timings;
    let millis = |duration: Duration| u64::try_from(duration.as_millis());
    let config = Config {
        cluster_name: "zot".to_owned(),
        heartbeat_interval: millis(*heartbeat)?,
        // How long a vote may take to be answered.
        election_timeout_min: millis(*leadership / 2)?,
        // How long a follower that heard from its leader votes for nobody else.
        election_timeout_max: millis(*leadership)?,
        install_snapshot_timeout: millis(*operation)?,
        max_payload_entries: MESSAGE_ENTRIES_MAX,
        replication_lag_threshold: options.snapshot_entries + KEPT_ENTRIES,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.snapshot_entries),
        max_in_snapshot_log_to_keep: KEPT_ENTRIES,
        enable_elect: false,
        ..Config::default()
    };
    Ok(config.validate()?)
}
