//! How much a server takes on and how long it waits.

use std::time::Duration;

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
            connections_max: 10_000,
            header_read_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(120),
            write_progress: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
