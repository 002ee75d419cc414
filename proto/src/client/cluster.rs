//! The cluster, as a node tells of it.

use std::time::Duration;

use futures::{StreamExt as _, stream, stream::BoxStream};
use tokio::time::timeout;
use tonic::{Response, transport::Channel};
use zot_cluster::{Loss, NodeId, Status, View};

use crate::{
    Dialer, InvalidAddress, MESSAGE_BYTES_MAX, PlaneError,
    server::VIEW_REPEATED_EVERY,
    status::{Answer, plane_error, plane_overdue},
    v1::{self, cluster_service_client::ClusterServiceClient},
};

/// How long a call without a stream may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a stream of views may be silent before it counts as broken.
const VIEW_IDLE_MAX: Duration = VIEW_REPEATED_EVERY.saturating_mul(4);

/// Asks a node of its cluster, and tells it what to do.
#[derive(Clone, Debug)]
pub struct ClusterClient {
    client: ClusterServiceClient<Channel>,
}

impl ClusterClient {
    /// The node at `address`. Needs a tokio runtime.
    pub fn dial(dialer: &Dialer, address: &str) -> Result<Self, InvalidAddress> {
        let client = ClusterServiceClient::new(dialer.channel(address)?);
        Ok(Self { client: client.max_decoding_message_size(MESSAGE_BYTES_MAX) })
    }

    /// The node's view, then each newer one, and now and then the same again. It ends with an error when the node stops or is silent.
    pub async fn watch_views(&self) -> Result<BoxStream<'static, Result<View, PlaneError>>, PlaneError> {
        let mut client = self.client.clone();
        let views = self.answer(client.watch_views(v1::WatchViewsRequest {})).await?;
        let next = async |mut views: tonic::Streaming<v1::View>| {
            let message = timeout(VIEW_IDLE_MAX, views.message()).await.map_err(|_| plane_overdue(VIEW_IDLE_MAX))?;
            let view = message.map_err(|refusal| plane_error(&refusal))?;
            view.map(|view| View::try_from(view).map(|view| (view, views)))
                .transpose()
                .map_err(|error| PlaneError::Unavailable(error.into()))
        };
        Ok(stream::try_unfold(views, next).boxed())
    }

    /// What the node knows of the cluster.
    pub async fn status(&self) -> Result<Status, PlaneError> {
        let status = self.answer(self.client.clone().status(v1::StatusRequest {})).await?;
        status.try_into().map_err(|error: crate::convert::Malformed| PlaneError::Unavailable(error.into()))
    }

    /// Takes a member's repositories away; it finishes what it has begun.
    pub async fn drain(&self, node: NodeId) -> Result<(), PlaneError> {
        self.answer(self.client.clone().drain(v1::DrainRequest { node: node.0 })).await.map(|v1::DrainResponse {}| ())
    }

    /// Gives a member that drains its share again.
    pub async fn undrain(&self, node: NodeId) -> Result<(), PlaneError> {
        self.answer(self.client.clone().undrain(v1::UndrainRequest { node: node.0 })).await.map(|v1::UndrainResponse {}| ())
    }

    /// Takes a member out of the cluster.
    pub async fn remove(&self, node: NodeId, loss: Loss) -> Result<(), PlaneError> {
        let request = v1::RemoveRequest { node: node.0, loss_accepted: loss == Loss::Accepted };
        self.answer(self.client.clone().remove(request)).await.map(|v1::RemoveResponse {}| ())
    }

    /// Makes the node a member of the cluster that the node at `address` belongs to.
    pub async fn join(&self, address: &str) -> Result<(), PlaneError> {
        self.answer(self.client.clone().join(v1::JoinRequest { address: address.to_owned() })).await.map(|v1::JoinResponse {}| ())
    }

    async fn answer<T>(&self, call: impl Future<Output = Answer<T>>) -> Result<T, PlaneError> {
        let answer = timeout(DEADLINE, call).await.map_err(|_| plane_overdue(DEADLINE))?;
        answer.map(Response::into_inner).map_err(|refusal| plane_error(&refusal))
    }
}
