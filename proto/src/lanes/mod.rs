//! Lanes: connections of the internal plane that carry the bytes of blobs as they are. HTTP/2 copies them at both ends and wakes both for
//! every few of them, which costs more than everything else that a pull does.
//!
//! A lane begins with [`MAGIC`] from both ends, which is no beginning of HTTP/2, so that both share one port and its certificates. Then it
//! carries one transfer after the other in [frames](frame): a request; the header of the blob, its data, and an end, or where
//! the blob is, or a refusal with the very details that gRPC would carry. One transfer at a time: who does not read on holds up nobody else, and what is in flight is what the system
//! keeps for one connection.
//!
//! A lane has no pings. While whoever serves waits for its disk, it says that it is [alive](frame::Kind::Alive); whoever reads takes silence
//! for what it takes a missing pong for. If the other end knows no lanes, as processes of older releases do not, or has no room for another
//! one, blobs come by gRPC.

mod frame;
mod inbound;
mod pool;
mod reading;
mod served;

use std::time::Duration;

use crate::transport::{PING_EVERY, PONG_WITHIN};

pub(crate) use self::{frame::MAGIC, pool::Lanes, served::serve_all};

/// How often whoever serves says that it is alive while it has nothing to send.
const ALIVE_EVERY: Duration = PING_EVERY;
/// How long whoever reads waits for a byte.
const SILENCE_MAX: Duration = PING_EVERY.saturating_add(PONG_WITHIN);
/// How long the other end may do without the next bytes before it is given up. Gateways have shorter limits for their clients.
const WRITE_IDLE_MAX: Duration = Duration::from_secs(300);
/// How long a lane rests before whoever asked closes it.
const RESTS_MAX: Duration = Duration::from_secs(30);
/// How long whoever serves waits for the next request: longer, so that it does not close what is just being used.
const REQUEST_IDLE_MAX: Duration = Duration::from_secs(60);
/// How long a request that began may take to come.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// What is read at a time: as much as a piece of a file, so that a piece wakes its reader about once.
const READ_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests;
