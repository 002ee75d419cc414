//! What is said between processes: a registry over gRPC, and what nodes and gateways tell each other of the cluster.
//!
//! [`RemoteRegistry`] is a [`zot_contract::Registry`] that asks another process; [`serve()`] serves any registry to it. Neither end knows what
//! is behind the other, and both pass the contract's suite together. [`ClusterClient`] and [`PeerTransport`] ask whatever implements
//! [`ClusterPlane`] at the other end. A [`Dialer`] makes their connections, which are sized for blobs. Calls are gRPC; the bytes of blobs that
//! are read come by lanes, connections to the same port that carry them as they are.
//!
//! # What holds on the wire
//! - **Typed errors.** Every [`zot_contract::Error`] arrives as the variant that it left as; the causes arrive as text. What the wire itself
//!   does wrong is [`zot_contract::Error::Unavailable`] because of [`Unreachable`].
//! - **Nothing ends early unnoticed.** A body that is being uploaded says that it is complete, a blob that is read is counted, a page of
//!   referrers marks its last part. Whatever stops before that broke off, whatever the transport thinks of it.
//! - **Bounded.** A message has at most [`MESSAGE_BYTES_MAX`] bytes, a manifest at most [`MANIFEST_BYTES_MAX`], and a connection has at most
//!   its windows in flight; bodies are passed on as fast as the other end takes them. A process has at most so many lanes; who finds none free
//!   reads by gRPC.
//! - **Deadlines.** A call without a stream takes at most its [deadline](RemoteRegistry::with_deadline), which the server learns too. A stream
//!   may take as long as it needs: a blob that is read is given up when nothing comes for [`READ_IDLE_MAX`], a body that is sent after five
//!   minutes without a piece, and a connection whose other end does not answer pings is closed, with every call on it: after three seconds
//!   where a node does not answer.
//! - **Both ends are known.** With TLS, each end shows a certificate of the cluster's authority, and the node's must name the host that was
//!   dialed. New files are used by the next connection. Whatever is served believes its callers about the subject and the view: without TLS,
//!   only the cluster may reach the port.
//! - **Old and new meet.** Blobs of a process that knows no lanes come by gRPC. An error of a kind that the reader does not know is told as unavailable or internal, as its sender marked it.

mod client;
mod convert;
mod lanes;
mod plane;
mod serve;
mod server;
mod status;
mod transport;
mod v1;

pub use client::{ClusterClient, DEADLINE, PeerError, PeerTransport, READ_IDLE_MAX, RemoteRegistry};
pub use plane::{ClusterPlane, PlaneError, updates, views_of};
pub use serve::{ServeError, Services, Stopped, serve, serve_connections};
pub use status::Unreachable;
pub use transport::{Connection, Dialer, InvalidAddress, MANIFEST_BYTES_MAX, MESSAGE_BYTES_MAX, Network, PIECE_BYTES_MAX};
