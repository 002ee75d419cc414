//! The other end of a connection, as far as the connection itself tells.

use std::{net::SocketAddr, sync::Arc};

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// What TLS tells of it, if the connection is encrypted.
    pub tls: Option<PeerTls>,
}

/// What TLS tells of the other end.
#[derive(Debug, Clone)]
pub struct PeerTls {
    /// The version of the protocol, like `1.3`.
    pub version: &'static str,
    /// The certificate that it showed, in DER; the handshake has verified it.
    pub certificate: Option<Arc<[u8]>>,
}

impl Peer {
    /// A peer at the other end of a plain connection.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }
}
