//! Where clients arrive: HTTP, TLS and the OCI distribution API over any `dyn Registry`. Nothing here knows how content is stored: a cluster is
//! one registry among others.

pub mod cluster_registry;
mod configuration;
mod front;
pub mod http;
mod outlet;
mod ready;
#[cfg(test)]
mod sandbox;
pub mod server;

pub use configuration::{InvalidOrigin, check};
pub use front::{Front, cluster};
pub use ready::ready;
