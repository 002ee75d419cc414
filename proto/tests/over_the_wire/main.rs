//! What holds between the two ends of a connection.
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is test code")]

mod contract;
mod failures;
mod scripted;
mod streams;
mod wire;
