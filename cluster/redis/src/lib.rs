//! A connection to Redis, whatever form it has: one server, sentinels or a cluster, with or without TLS.
//!
//! [`Connection::open`] asks nothing of the network: the first command connects, and so does the first one after a failure. Every command
//! is bounded in time, and sent again once where the connection broke under it; each is such that doing it twice is doing it once.
//! Redis may lose what it acknowledged, when a replica takes over or the server starts again empty: only what may be lost belongs here.

mod backoff;
mod connection;
mod dialer;
mod error;
mod key;
mod limits;
mod link;
mod rate;
mod scan;
mod versioned;

pub use connection::Connection;
pub use error::{Error, OpenError, Result};
pub use key::{DEFAULT_KEY_PREFIX, Key, Room};
pub use versioned::Versioned;
