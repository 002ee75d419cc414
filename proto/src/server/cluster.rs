//! A node's part of the cluster for other processes.

use std::{sync::Arc, time::Duration};

use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response};
use zot_cluster::{Loss, NodeId, View};

use super::Answers;
use crate::{
    ClusterPlane,
    status::Answer,
    v1::{self, cluster_service_server::ClusterService},
};

/// How often a view is told again while there is no newer one.
pub(crate) const VIEW_REPEATED_EVERY: Duration = Duration::from_secs(1);

/// A cluster that is served.
#[derive(Clone)]
pub(super) struct ServedCluster {
    pub(super) plane: Arc<dyn ClusterPlane>,
    /// Streams of views have no end of their own.
    pub(super) stop: CancellationToken,
}

#[tonic::async_trait]
impl ClusterService for ServedCluster {
    type WatchViewsStream = Answers<v1::View>;

    async fn peer(&self, request: Request<v1::PeerMessage>) -> Answer<v1::PeerMessage> {
        let content = self.plane.peer(request.into_inner().content).await?;
        Ok(Response::new(v1::PeerMessage { content }))
    }

    async fn watch_views(&self, _: Request<v1::WatchViewsRequest>) -> Answer<Self::WatchViewsStream> {
        let views = repeated(self.plane.views()).map(|view| Ok(v1::View::from(&view)));
        Ok(Response::new(views.take_until(self.stop.clone().cancelled_owned()).boxed()))
    }

    async fn status(&self, _: Request<v1::StatusRequest>) -> Answer<v1::ClusterStatus> {
        Ok(Response::new(self.plane.status().await?.into()))
    }

    async fn drain(&self, request: Request<v1::DrainRequest>) -> Answer<v1::DrainResponse> {
        self.plane.drain(NodeId(request.into_inner().node)).await?;
        Ok(Response::new(v1::DrainResponse {}))
    }

    async fn undrain(&self, request: Request<v1::UndrainRequest>) -> Answer<v1::UndrainResponse> {
        self.plane.undrain(NodeId(request.into_inner().node)).await?;
        Ok(Response::new(v1::UndrainResponse {}))
    }

    async fn remove(&self, request: Request<v1::RemoveRequest>) -> Answer<v1::RemoveResponse> {
        let v1::RemoveRequest { node, loss_accepted } = request.into_inner();
        self.plane.remove(NodeId(node), if loss_accepted { Loss::Accepted } else { Loss::Refused }).await?;
        Ok(Response::new(v1::RemoveResponse {}))
    }

    async fn join(&self, request: Request<v1::JoinRequest>) -> Answer<v1::JoinResponse> {
        self.plane.join(&request.into_inner().address).await?;
        Ok(Response::new(v1::JoinResponse {}))
    }
}

/// The views, each told again while there is no newer one.
fn repeated(views: BoxStream<'static, View>) -> impl Stream<Item = View> + Send {
    let next = async |(mut views, last): (BoxStream<'static, View>, Option<View>)| {
        let view = match (timeout(VIEW_REPEATED_EVERY, views.next()).await, last) {
            (Ok(newer), _) => newer?,
            (Err(_), Some(last)) => last,
            (Err(_), None) => views.next().await?,
        };
        Some((view.clone(), (views, Some(view))))
    };
    stream::unfold((views, None), next)
}
