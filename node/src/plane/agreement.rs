//! Consensus and the wire know nothing of each other: here they meet.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures::stream::BoxStream;
use zot_cluster::{Loss, NodeId, Status, View};
use zot_consensus::{Consensus, Error, Transport, TransportError};
use zot_proto::{ClusterPlane, PeerError, PeerTransport, PlaneError, views_of};

/// Carries the messages of consensus over the wire.
pub(super) struct Peers(PeerTransport);

impl Peers {
    pub(super) fn new(transport: PeerTransport) -> Self {
        Self(transport)
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peers").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Transport for Peers {
    async fn call(&self, address: &str, message: Bytes, within: Duration) -> Result<Bytes, TransportError> {
        // Whether a message that was not answered was handled is not known to the wire.
        self.0.call(address, message, within).await.map_err(|error: PeerError| TransportError::Failed(error.into()))
    }
}

/// Answers for consensus on the wire.
pub(super) struct Agreement(Consensus);

impl Agreement {
    pub(super) fn new(consensus: Consensus) -> Self {
        Self(consensus)
    }
}

#[async_trait::async_trait]
impl ClusterPlane for Agreement {
    async fn peer(&self, message: Bytes) -> Result<Bytes, PlaneError> {
        self.0.handle(message).await.map_err(refused)
    }

    fn views(&self) -> BoxStream<'static, View> {
        // A node that was removed knows of none any more.
        views_of(self.0.views())
    }

    async fn status(&self) -> Result<Status, PlaneError> {
        self.0.status().await.map_err(refused)
    }

    async fn drain(&self, node: NodeId) -> Result<(), PlaneError> {
        self.0.drain(node).await.map_err(refused)
    }

    async fn undrain(&self, node: NodeId) -> Result<(), PlaneError> {
        self.0.undrain(node).await.map_err(refused)
    }

    async fn remove(&self, node: NodeId, loss: Loss) -> Result<(), PlaneError> {
        self.0.remove(node, loss).await.map_err(refused)
    }

    async fn join(&self, address: &str) -> Result<(), PlaneError> {
        self.0.join(address).await.map_err(refused)
    }
}

fn refused(error: Error) -> PlaneError {
    match error {
        Error::NoLeader
        | Error::NoMajority { .. }
        | Error::NotLeader { .. }
        | Error::NoCluster
        | Error::Busy
        | Error::Unreachable { .. } => PlaneError::Unavailable(error.into()),
        Error::OtherCluster
        | Error::OtherNode
        | Error::OtherStorage
        | Error::FixedMembers
        | Error::KeepsRepositories { .. }
        | Error::NoHeir { .. }
        | Error::UnknownMember(_)
        | Error::LastMember
        | Error::Removed
        | Error::Closed
        | Error::Malformed(_) => PlaneError::Refused { reason: error.to_string() },
    }
}
