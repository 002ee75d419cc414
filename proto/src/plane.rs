//! What a node's cluster part does for other processes, as this crate serves and calls it.

use std::{future, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use tokio::sync::watch;
use zot_cluster::{Loss, NodeId, Status, View};
use zot_contract::BoxError;

/// A node's part of the cluster.
#[async_trait::async_trait]
pub trait ClusterPlane: Send + Sync + 'static {
    /// Answers a message of another node. What both say is for the two of them, and has at most [`MESSAGE_BYTES_MAX`](crate::MESSAGE_BYTES_MAX).
    async fn peer(&self, message: Bytes) -> Result<Bytes, PlaneError>;

    /// The view at present, then each newer one; views in between may be left out. See [`views_of`].
    fn views(&self) -> BoxStream<'static, View>;

    /// What this node knows of the cluster.
    async fn status(&self) -> Result<Status, PlaneError>;

    /// Takes a member's repositories away; it finishes what it has begun.
    async fn drain(&self, node: NodeId) -> Result<(), PlaneError>;

    /// Gives a member that drains its share again.
    async fn undrain(&self, node: NodeId) -> Result<(), PlaneError>;

    /// Takes a member out of the cluster.
    async fn remove(&self, node: NodeId, loss: Loss) -> Result<(), PlaneError>;

    /// Makes this node a member of the cluster that the node at `address` (`host:port`) belongs to.
    async fn join(&self, address: &str) -> Result<(), PlaneError>;
}

/// Why the cluster did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// It cannot be done, also not later: there is no such member, for example.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// The members cannot agree at the moment, or the node cannot be reached: the same call may succeed later.
    #[error("cluster cannot be asked at the moment")]
    Unavailable(#[source] BoxError),
}

/// What a channel holds, then each newer value, until its sender is gone.
pub fn updates<T: Clone + Send + Sync + 'static>(mut receiver: watch::Receiver<T>) -> BoxStream<'static, T> {
    receiver.mark_changed();
    let next = async |mut receiver: watch::Receiver<T>| {
        receiver.changed().await.ok()?;
        let value = receiver.borrow_and_update().clone();
        Some((value, receiver))
    };
    stream::unfold(receiver, next).boxed()
}

/// The views that a node has from the first one on, until it has none any more.
pub fn views_of(views: watch::Receiver<Option<Arc<View>>>) -> BoxStream<'static, View> {
    let told = updates(views).skip_while(|view| future::ready(view.is_none())).take_while(|view| future::ready(view.is_some()));
    told.filter_map(|view| future::ready(view.map(|view| View::clone(&view)))).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn updates_begin_with_what_there_is_and_end_with_their_sender() {
        let (sender, receiver) = watch::channel(1);
        let mut updates = updates(receiver);
        assert_eq!(updates.next().await, Some(1));
        sender.send_replace(2);
        sender.send_replace(3);
        assert_eq!(updates.next().await, Some(3));
        drop(sender);
        assert_eq!(updates.next().await, None);
    }
}
