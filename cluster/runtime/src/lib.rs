//! What any process needs: logs, files that are watched, TLS with reload, named tasks, background jobs, shutdown signals, timeouts on progress,
//! addresses to listen on and the limit on open files.

pub mod descriptors;
pub mod file_watch;
pub mod fingerprint;
pub mod listening;
pub mod progress;
pub mod schedule;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;
pub mod tls;
