//! What is done to a cluster, and undone.

use std::time::Duration;

use zot_services::{Fault, Proxy};
use zot_tests::{
    Cluster,
    cluster::{Builder, Services},
    sandbox::{OUTAGE, Signal},
};

use super::partition;
use crate::random::Random;

/// How long a server of the shared storage does not answer, or cannot be reached by a node; how long one stays cut off from its peers after others took
/// over.
const PAUSE: Duration = Duration::from_secs(3);
/// The node that is cut off.
const CUT_OFF: usize = 0;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nemesis {
    KillNode,
    KillLeader,
    KillGateway,
    FreezeNode,
    EmptyRedis,
    PauseS3,
    PauseDynamoDb,
    Join,
    DrainAndRemove,
    RollingRestart,
    CutFrom(Whom),
}

/// Whom one node does not reach for a while. Gateways and other nodes do not reach it either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    Peers,
    PeersAndGateways,
    Redis,
    S3,
    DynamoDb,
}

impl Nemesis {
    /// Whether it strikes at what a cluster shares with others.
    pub(super) fn breaks_services(self) -> bool {
        matches!(self, Self::EmptyRedis | Self::PauseS3 | Self::PauseDynamoDb)
    }

    /// Whether it kills nodes: how long others then need is worth measuring often.
    pub(super) fn kills_nodes(self) -> bool {
        matches!(self, Self::KillNode | Self::KillLeader)
    }

    /// Announces the errors that it makes processes log.
    pub(super) fn tolerating(self, builder: Builder) -> Builder {
        match self {
            Self::EmptyRedis | Self::PauseS3 | Self::PauseDynamoDb | Self::CutFrom(_) => {
                OUTAGE.into_iter().fold(builder, Builder::tolerate_errors)
            }
            _ => builder,
        }
    }

    /// Puts what it cuts connections with between a cluster that has not started and what it talks to.
    pub(super) async fn arm(self, cluster: &mut Cluster, services: &Services) -> Vec<Proxy> {
        let Self::CutFrom(whom) = self else { return Vec::new() };
        let endpoints = services.endpoints();
        let (mut url, path) = match whom {
            Whom::Peers | Whom::PeersAndGateways => {
                return partition::start_with(cluster, CUT_OFF, whom == Whom::PeersAndGateways).await;
            }
            Whom::Redis => (endpoints.redis, "/cluster/redis/url"),
            Whom::S3 => (endpoints.s3, "/storage/storageDriver/regionendpoint"),
            Whom::DynamoDb => (endpoints.dynamodb, "/storage/cacheDriver/endpoint"),
        };
        let proxy = Proxy::before(&mut url).await;
        cluster.node(CUT_OFF).set(path, url);
        vec![proxy]
    }

    /// Strikes, and makes good what it did; whatever it struck runs again afterwards, although it may not be up yet.
    pub(super) async fn strike(self, cluster: &mut Cluster, services: &Services, proxies: &[Proxy], random: &mut Random) {
        let [node, gateway] = [cluster.nodes().len(), cluster.gateways().len()].map(|count| random.within(0..count as u64) as usize);
        match self {
            Self::KillNode => kill_node(cluster, node).await,
            Self::KillLeader => {
                let leader = cluster.leader().await;
                kill_node(cluster, leader).await;
            }
            Self::KillGateway => {
                cluster.gateway(gateway).kill9();
                tokio::time::sleep(Duration::from_secs(1)).await;
                cluster.gateway(gateway).spawn();
                cluster.ready().await;
            }
            Self::FreezeNode => freeze_node(cluster, node).await,
            Self::EmptyRedis => services.redis.lock().await.restart().await,
            Self::PauseS3 => {
                services.s3.lock().await.process().signal(Signal::STOP);
                tokio::time::sleep(PAUSE).await;
                services.s3.lock().await.process().signal(Signal::CONT);
            }
            Self::PauseDynamoDb => {
                services.dynamodb.lock().await.process().signal(Signal::STOP);
                tokio::time::sleep(PAUSE).await;
                services.dynamodb.lock().await.process().signal(Signal::CONT);
            }
            Self::Join => {
                cluster.add_node();
            }
            Self::DrainAndRemove => drain_and_remove(cluster, node).await,
            Self::RollingRestart => rolling_restart(cluster).await,
            Self::CutFrom(whom) => {
                let fault = if random.once_in(2) { Fault::Hang } else { Fault::Cut };
                proxies.iter().for_each(|proxy| proxy.set(fault));
                if matches!(whom, Whom::Peers | Whom::PeersAndGateways) {
                    others_took_over(cluster, CUT_OFF).await;
                }
                tokio::time::sleep(PAUSE).await;
                proxies.iter().for_each(Proxy::heal);
            }
        }
    }
}

async fn kill_node(cluster: &mut Cluster, node: usize) {
    cluster.node(node).kill9();
    others_took_over(cluster, node).await;
    cluster.node(node).spawn();
}

async fn freeze_node(cluster: &mut Cluster, node: usize) {
    cluster.node(node).signal(Signal::STOP);
    others_took_over(cluster, node).await;
    cluster.node(node).signal(Signal::CONT);
}

/// Waits until the others know that this node does not answer, and own what it owned.
async fn others_took_over(cluster: &Cluster, node: usize) {
    let name = cluster.nodes()[node].name().to_owned();
    cluster.status_in_which("the node is down", |status| status.states.get(&name).is_some_and(|state| state == "down")).await;
}

async fn drain_and_remove(cluster: &mut Cluster, node: usize) {
    let name = cluster.nodes()[node].name().to_owned();
    cluster.drain(&name).await;
    cluster.node(node).terminate().await;
    cluster.remove(&name).await;
    cluster.forget_node(node);
}

/// Ends and starts every process, one after the other, each when the one before is back.
async fn rolling_restart(cluster: &mut Cluster) {
    for node in 0..cluster.nodes().len() {
        cluster.node(node).terminate().await;
        cluster.node(node).spawn();
        cluster.all_nodes_up().await;
    }
    for gateway in 0..cluster.gateways().len() {
        cluster.gateway(gateway).terminate().await;
        cluster.gateway(gateway).spawn();
        cluster.ready().await;
    }
}
