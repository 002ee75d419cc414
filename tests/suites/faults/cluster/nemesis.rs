//! What is done to a cluster, and undone.

use std::time::Duration;

use zot_services::{Fault, Proxy};
use zot_tests::{
    Cluster,
    cluster::{Builder, Services},
    sandbox::{OUTAGE, Signal},
};

use crate::random::Random;

/// How long a server of the shared storage does not answer, or cannot be reached by a node.
const PAUSE: Duration = Duration::from_secs(3);
/// The node that a proxy cuts off.
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

/// Whom one node cannot reach, or is not reached by, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    Peers,
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
    pub(super) async fn arm(self, cluster: &mut Cluster, services: &Services) -> Option<Proxy> {
        let Self::CutFrom(whom) = self else { return None };
        let endpoints = services.endpoints();
        let (scheme, target, path) = match whom {
            Whom::Peers => ("", cluster.nodes()[CUT_OFF].address().port(), "/cluster/advertise"),
            Whom::Redis => ("redis://", port_of(&endpoints.redis), "/cluster/redis/url"),
            Whom::S3 => ("http://", port_of(&endpoints.s3), "/storage/storageDriver/regionendpoint"),
            Whom::DynamoDb => ("http://", port_of(&endpoints.dynamodb), "/storage/cacheDriver/endpoint"),
        };
        let proxy = Proxy::start(target).await;
        let address = format!("127.0.0.1:{}", proxy.port());
        cluster.node(CUT_OFF).set(path, format!("{scheme}{address}"));
        if whom == Whom::Peers {
            let mut nodes: Vec<String> = cluster.nodes().iter().map(|node| node.address().to_string()).collect();
            nodes[CUT_OFF] = address;
            cluster.set("/cluster/nodes", nodes);
        }
        Some(proxy)
    }

    /// Strikes, and makes good what it did; whatever it struck runs again afterwards, although it may not be up yet.
    pub(super) async fn strike(self, cluster: &mut Cluster, services: &Services, proxy: Option<&Proxy>, random: &mut Random) {
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
            Self::CutFrom(_) => {
                let proxy = proxy.expect("what it was armed with");
                proxy.set(if random.once_in(2) { Fault::Hang } else { Fault::Cut });
                tokio::time::sleep(PAUSE).await;
                proxy.heal();
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

fn port_of(url: &str) -> u16 {
    url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a URL that ends with a port")
}
