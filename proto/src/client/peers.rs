//! Messages from one node to others.

use std::{collections::HashMap, fmt, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::timeout;
use tonic::transport::Channel;
use zot_contract::BoxError;

use crate::{
    Dialer, InvalidAddress, MESSAGE_BYTES_MAX,
    status::{Refusal, is_of_the_way, plane_error},
    v1::{PeerMessage, cluster_service_client::ClusterServiceClient},
};

/// The most peers that connections are kept to; with one more, the one that was used least recently goes.
const PEERS_MAX: usize = 128;

/// Carries messages to other nodes, over one connection to each.
pub struct PeerTransport {
    dialer: Dialer,
    peers: Mutex<Peers>,
}

#[derive(Default)]
struct Peers {
    /// By address, with when each was last used.
    channels: HashMap<String, (u64, Channel)>,
    uses: u64,
}

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It was not reached, or did not answer in time. Whether it got the message is not known.
    #[error("reach node at {address}")]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// It got the message and answered with an error.
    #[error("have the message handled by the node at {address}")]
    Failed {
        /// Where it is.
        address: String,
        /// What it said.
        #[source]
        source: BoxError,
    },
}

impl PeerTransport {
    /// A transport without connections; they come about when they are needed. Needs a tokio runtime.
    pub fn new(dialer: Dialer) -> Self {
        Self { dialer, peers: Mutex::default() }
    }

    /// What the node at `address` answers to `message`, if it does so `within` a time.
    pub async fn call(&self, address: &str, message: Bytes, within: Duration) -> Result<Bytes, PeerError> {
        let unreachable = |source: BoxError| PeerError::Unreachable { address: address.to_owned(), source };
        let channel = self.channel(address).map_err(|error| unreachable(error.into()))?;
        let mut client = ClusterServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        match timeout(within, client.peer(PeerMessage { content: message })).await {
            Ok(Ok(answer)) => Ok(answer.into_inner().content),
            Ok(Err(refusal)) => Err(told(address, &refusal)),
            Err(_) => Err(unreachable(format!("no answer within {} ms", within.as_millis()).into())),
        }
    }

    fn channel(&self, address: &str) -> Result<Channel, InvalidAddress> {
        let mut peers = self.peers.lock();
        peers.uses += 1;
        let now = peers.uses;
        if let Some((used, channel)) = peers.channels.get_mut(address) {
            *used = now;
            return Ok(channel.clone());
        }
        let channel = self.dialer.channel(address)?;
        peers.make_room();
        peers.channels.insert(address.to_owned(), (now, channel.clone()));
        Ok(channel)
    }
}

impl Peers {
    fn make_room(&mut self) {
        let oldest = self.channels.iter().min_by_key(|(_, (used, _))| *used).map(|(address, _)| address.clone());
        if let Some(oldest) = oldest.filter(|_| self.channels.len() >= PEERS_MAX) {
            self.channels.remove(&oldest);
        }
    }
}

fn told(address: &str, refusal: &Refusal) -> PeerError {
    let (address, source) = (address.to_owned(), plane_error(refusal).into());
    if is_of_the_way(refusal) { PeerError::Unreachable { address, source } } else { PeerError::Failed { address, source } }
}

impl fmt::Debug for PeerTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTransport").field("peers", &self.peers.lock().channels.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_kept_to_a_bounded_number_of_peers() {
        let transport = PeerTransport::new(Dialer::plain());
        for port in 1..=PEERS_MAX + 10 {
            transport.channel(&format!("127.0.0.1:{port}")).unwrap();
            transport.channel("127.0.0.1:1").unwrap();
        }
        let peers = transport.peers.lock();
        assert_eq!(peers.channels.len(), PEERS_MAX);
        assert!(peers.channels.contains_key("127.0.0.1:1"), "what is in use stays");
    }
}
