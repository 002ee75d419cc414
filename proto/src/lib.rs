//! What is said between processes: a registry over gRPC.
//!
//! [`RemoteRegistry`] is a [`zot_contract::Registry`] that asks another process; [`routes`] serves any registry to it. Neither end knows what
//! is behind the other, and both pass the contract's suite together. [`channel`] and [`server()`] are the two ends of a connection that is
//! sized for blobs.
//!
//! # What holds on the wire
//! - **Typed errors.** Every [`zot_contract::Error`] arrives as the variant that it left as; the causes arrive as text. What the wire itself
//!   does wrong is [`zot_contract::Error::Unavailable`] where trying again may help.
//! - **Nothing ends early unnoticed.** A body that is being uploaded says that it is complete, a blob that is read is counted, a list of
//!   referrers marks its last part. Whatever stops before that broke off, whatever the transport thinks of it.
//! - **Bounded.** A message has at most [`MESSAGE_BYTES_MAX`] bytes and a connection has at most its windows in flight; bodies are passed on as
//!   fast as the other end takes them.
//! - **Deadlines.** A call without a stream takes at most its [deadline](RemoteRegistry::with_deadline), which the server learns too. A stream
//!   may take as long as it needs: a blob that is read is given up when nothing comes for [`READ_IDLE_MAX`], and a connection whose other end
//!   does not answer pings is closed, with every call on it.
//! - **Old and new meet.** An error of a kind that the reader does not know is told as unavailable or internal, as its sender marked it.

mod client;
mod convert;
mod server;
mod status;
mod transport;
mod v1;

pub use client::{DEADLINE, READ_IDLE_MAX, RemoteRegistry};
pub use server::routes;
pub use transport::{MESSAGE_BYTES_MAX, PIECE_BYTES_MAX, channel, server};
