//! How much the store takes and how long it waits.

use std::time::Duration;

/// How much memory the store takes for uploads, and how patient it is with S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most memory for bytes of all uploads that are on their way, in bytes.
    pub upload_bytes_max: u64,
    /// The most memory for bytes that are in the bucket already but will likely be sent again as part of something, in bytes.
    pub kept_bytes_max: u64,
    /// The most parts of one upload that are sent at the same time.
    pub flight_parts_max: usize,
    /// The most bytes of one upload that are sent at the same time; one part always is.
    pub flight_bytes_max: u64,
    /// How long a connection may take to stand.
    pub connect: Duration,
    /// How long a request may go without a byte sent or received.
    pub stall: Duration,
    /// How often a request is tried altogether. Pauses between tries grow, with jitter; when many fail, none is tried again.
    pub attempts_max: u32,
}

impl Default for Limits {
    /// For a machine with some gigabytes: 32 uploads at full speed, many more at theirs.
    fn default() -> Self {
        Self {
            upload_bytes_max: 256 << 20,
            kept_bytes_max: 64 << 20,
            flight_parts_max: 4,
            flight_bytes_max: 64 << 20,
            connect: Duration::from_secs(3),
            stall: Duration::from_secs(10),
            attempts_max: 4,
        }
    }
}
