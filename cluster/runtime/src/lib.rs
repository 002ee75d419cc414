//! What any process needs: logs, TLS with reload, named tasks, shutdown signals and timeouts on progress.

pub mod progress;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;
pub mod tls;
