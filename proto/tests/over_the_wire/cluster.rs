//! What nodes tell each other, and what gateways follow.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use tokio::{sync::watch, time::timeout};
use zot_cluster::{Loss, NodeId, Status, Storage, View};
use zot_proto::{ClusterClient, ClusterPlane, Dialer, PeerError, PeerTransport, PlaneError, Stopped, updates};

use crate::wire::Server;

/// A test that takes longer hangs. Generous, because nothing here measures speed.
const HANG: Duration = Duration::from_secs(60);
/// How long a peer may take.
const WITHIN: Duration = Duration::from_secs(20);

/// A cluster that says what it was asked.
struct Echo {
    views: watch::Sender<View>,
}

impl Echo {
    fn new() -> Arc<Self> {
        Arc::new(Self { views: watch::Sender::new(view(1)) })
    }
}

fn view(number: u64) -> View {
    View { cluster: None, number, storage: Storage::Shared, members: Vec::new() }
}

fn refused<T>(reason: String) -> Result<T, PlaneError> {
    Err(PlaneError::Refused { reason })
}

#[async_trait::async_trait]
impl ClusterPlane for Echo {
    async fn peer(&self, message: Bytes) -> Result<Bytes, PlaneError> {
        match &*message {
            b"fail" => Err(PlaneError::Unavailable("no leader".into())),
            b"wait" => std::future::pending().await,
            _ => Ok(message),
        }
    }

    fn views(&self) -> BoxStream<'static, View> {
        updates(self.views.subscribe())
    }

    async fn status(&self) -> Result<Status, PlaneError> {
        Ok(Status { node: NodeId(1), leader: None, term: 7, view: self.views.borrow().clone(), jobs: Vec::new() })
    }

    async fn drain(&self, node: NodeId) -> Result<(), PlaneError> {
        refused(format!("drain {node}"))
    }

    async fn undrain(&self, node: NodeId) -> Result<(), PlaneError> {
        refused(format!("undrain {node}"))
    }

    async fn remove(&self, node: NodeId, loss: Loss) -> Result<(), PlaneError> {
        refused(format!("remove {node}, loss {loss:?}"))
    }

    async fn join(&self, address: &str) -> Result<(), PlaneError> {
        if address == "nobody" { Err(PlaneError::Unavailable("no route".into())) } else { Ok(()) }
    }
}

#[tokio::test]
async fn views_are_followed_and_repeated_until_the_node_stops() {
    let echo = Echo::new();
    let server = Server::of_cluster(echo.clone()).await;
    let client = ClusterClient::dial(&Dialer::plain(), &server.address).unwrap();
    let mut views = client.watch_views().await.unwrap();
    let mut next = async || timeout(HANG, views.next()).await.unwrap();
    assert_eq!(next().await.unwrap().unwrap(), view(1));
    assert_eq!(next().await.unwrap().unwrap(), view(1), "it is told again while there is no newer one");
    echo.views.send_replace(view(2));
    while next().await.unwrap().unwrap() != view(2) {}
    server.stop.cancel();
    while next().await.is_some() {}
    assert_eq!(timeout(HANG, server.stopped()).await.unwrap(), Stopped::Drained);
}

#[tokio::test]
async fn what_a_node_is_told_and_why_it_refuses_arrives() {
    let server = Server::of_cluster(Echo::new()).await;
    let client = ClusterClient::dial(&Dialer::plain(), &server.address).unwrap();
    assert_eq!(client.status().await.unwrap().term, 7);
    let node = NodeId(0xbeef);
    let removals = [client.remove(node, Loss::Refused).await, client.remove(node, Loss::Accepted).await];
    let refusals = [client.drain(node).await, client.undrain(node).await].into_iter().chain(removals);
    let acts = ["drain NODE", "undrain NODE", "remove NODE, loss Refused", "remove NODE, loss Accepted"];
    for (refusal, act) in refusals.zip(acts) {
        let expected = act.replace("NODE", &node.to_string());
        assert!(matches!(refusal, Err(PlaneError::Refused { reason }) if reason == expected));
    }
    client.join("n1:9090").await.unwrap();
    assert!(matches!(client.join("nobody").await, Err(PlaneError::Unavailable(why)) if why.to_string() == "no route"));
}

#[tokio::test]
async fn peers_that_answer_and_those_that_do_not_are_told_apart() {
    let server = Server::of_cluster(Echo::new()).await;
    let transport = PeerTransport::new(Dialer::plain());
    let large = Bytes::from(vec![7; 10_000_000]);
    assert_eq!(transport.call(&server.address, large.clone(), WITHIN).await.unwrap(), large);
    let failed = transport.call(&server.address, "fail".into(), WITHIN).await;
    assert!(matches!(failed, Err(PeerError::Failed { .. })), "{failed:?}");
    let overdue = transport.call(&server.address, "wait".into(), Duration::from_millis(20)).await;
    assert!(matches!(overdue, Err(PeerError::Unreachable { .. })), "{overdue:?}");
    for nowhere in ["127.0.0.1:1", "not an address"] {
        let unreachable = transport.call(nowhere, Bytes::new(), WITHIN).await;
        assert!(matches!(unreachable, Err(PeerError::Unreachable { .. })), "{unreachable:?}");
    }
}

#[tokio::test]
async fn a_node_without_a_cluster_says_so() {
    let server = Server::start(Arc::new(zot_contract::MemoryRegistry::default()), 0).await;
    let client = ClusterClient::dial(&Dialer::plain(), &server.address).unwrap();
    assert!(matches!(client.status().await, Err(PlaneError::Unavailable(_))));
}
