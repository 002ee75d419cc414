//! Where clients arrive: HTTP, TLS and the OCI distribution API over any `dyn Registry`. Nothing here knows how content is stored.

pub mod http;
#[cfg(test)]
mod sandbox;
pub mod server;
