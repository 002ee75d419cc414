//! How nodes come to agree: Raft over a store on disk, behind which the view, the states of members and the leases of jobs live.
//!
//! [`Consensus::open`] starts a node; it finds its cluster, or forms one, in the background. Messages between nodes travel by a [`Transport`]
//! that the caller brings: what it receives from others goes to [`Consensus::handle`].

mod admission;
mod clock;
mod consensus;
mod election;
mod error;
mod forming;
mod inbound;
mod leading;
mod lease;
mod node;
mod options;
mod outbound;
mod presence;
mod raft;
mod random;
mod returning;
mod roles;
mod settings;
mod state;
mod store;
mod wire;

pub use consensus::{Consensus, Standing};
pub use error::{Contact, Error, OpenError};
pub use lease::Lease;
pub use options::{Options, Timings, Transport, TransportError};
pub use roles::ClusterRoles;

#[cfg(test)]
mod tests;
