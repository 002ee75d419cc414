//! How much a server takes on and how long it waits.

use std::time::Duration;

/// The descriptors that are left for what is no client's: stores, logs, other processes.
const DESCRIPTORS_RESERVED: u64 = 64;

/// The descriptors that a connection may need: its own, and that of a blob's file.
const DESCRIPTORS_PER_CONNECTION: u64 = 2;

/// Bounds of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The most connections at a time; more wait to be accepted.
    pub connections_max: usize,
    /// The longest wait for the whole head of a request, once its first byte is there, and for a TLS handshake. A connection that trickles
    /// is cut after twice this time at the latest.
    pub header_read_timeout: Duration,
    /// How long a connection is kept for the next request.
    pub keep_alive_timeout: Duration,
    /// The longest wait for a client to take the next bytes of a response.
    pub write_progress: Duration,
    /// How long requests under way may take to finish after the signal to stop.
    pub drain_timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            connections_max: 8192,
            header_read_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(120),
            write_progress: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl ServerOptions {
    /// The same, with no more connections than this process may have descriptors for.
    #[must_use]
    pub fn within(self, descriptors_max: Option<u64>) -> Self {
        let Some(descriptors_max) = descriptors_max else { return self };
        let room = descriptors_max.saturating_sub(DESCRIPTORS_RESERVED) / DESCRIPTORS_PER_CONNECTION;
        let room = usize::try_from(room).unwrap_or(usize::MAX).max(1);
        if self.connections_max > room {
            tracing::warn!(
                connections_max = room,
                descriptors_max,
                "`http.limits.connectionsMax` is more than the limit on open files allows, taking fewer connections"
            );
        }
        Self { connections_max: self.connections_max.min(room), ..self }
    }
}
