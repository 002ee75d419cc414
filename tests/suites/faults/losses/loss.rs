//! What is lost or wrong, and how it is brought about and made good.

use std::{path::PathBuf, time::Duration};

use zot_services::{Fault, HttpProxy, Mood, Proxy, Redis, http_proxy, wrong_clock};
use zot_tests::{
    Cluster,
    cluster::{Builder, Endpoints},
    sandbox::{OUTAGE, Signal},
    wait,
};

use crate::{
    NODE_ENDS,
    disk::{Disk, PLAIN},
};

/// The node that something is wrong with.
const STRUCK: usize = 0;
const DISK_MEBIBYTES: u64 = 64;

/// What is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    RedisDown,
    RedisEmptied,
    /// Every third call is refused. If every second one were, nodes would soon have tried again as often as they may: one attempt for five calls
    /// that succeed, and a hundred more.
    DynamoDbThrottles,
    DynamoDbDown,
    /// One of ten requests is answered with 500.
    S3Fails,
    /// Every request takes two seconds more.
    S3Slow,
    S3Down,
    /// Two of three nodes are killed.
    Majority,
    /// It is stopped, and has what it believed when it goes on.
    NodeFrozen,
    /// The wall clocks of a node and of the gateway are off by so much.
    Clocks(&'static str),
    /// The disk on which a node has its log and its cache.
    DiskFull,
}

/// What stands between a cluster and what it loses.
pub(super) enum Way {
    Wire(Proxy),
    Http(HttpProxy),
    Server(Redis),
    Disk(Disk),
    Nothing,
}

impl Loss {
    /// As it stands in the table.
    pub(super) fn name(self) -> String {
        match self {
            Self::RedisDown => "Redis is down".to_owned(),
            Self::RedisEmptied => "Redis starts again empty".to_owned(),
            Self::DynamoDbThrottles => "DynamoDB throttles every third call".to_owned(),
            Self::DynamoDbDown => "DynamoDB is down".to_owned(),
            Self::S3Fails => "S3 answers 500 to 10 % of requests".to_owned(),
            Self::S3Slow => "S3 is slow by 2 s".to_owned(),
            Self::S3Down => "S3 is down".to_owned(),
            Self::Majority => "two of three nodes are killed".to_owned(),
            Self::NodeFrozen => "a node is frozen (SIGSTOP)".to_owned(),
            Self::Clocks(offset) => format!("clock of a node and a gateway {offset}"),
            Self::DiskFull => "disk of a node is full".to_owned(),
        }
    }

    /// Why it cannot be brought about here, if it cannot.
    pub(super) fn missing(self) -> Option<String> {
        if matches!(self, Self::Clocks(_)) { wrong_clock::available().err() } else { None }
    }

    /// Puts something between the servers and a cluster that is to be started. Nothing if that cannot be done here, which was said.
    pub(super) async fn between(self, endpoints: &mut Endpoints, test: &str) -> Option<Way> {
        let way = match self {
            Self::RedisEmptied => {
                let redis = Redis::start().await;
                endpoints.redis = redis.url();
                Way::Server(redis)
            }
            Self::RedisDown => Way::Wire(Proxy::before(&mut endpoints.redis).await),
            Self::DynamoDbDown => Way::Wire(Proxy::before(&mut endpoints.dynamodb).await),
            Self::S3Down => Way::Wire(Proxy::before(&mut endpoints.s3).await),
            Self::DynamoDbThrottles => Way::Http(HttpProxy::before(&mut endpoints.dynamodb).await),
            Self::S3Fails | Self::S3Slow => Way::Http(HttpProxy::before(&mut endpoints.s3).await),
            Self::DiskFull => Way::Disk(Disk::new(test, DISK_MEBIBYTES, PLAIN)?),
            Self::Majority | Self::NodeFrozen | Self::Clocks(_) => Way::Nothing,
        };
        Some(way)
    }

    /// Announces what its processes then log.
    pub(super) fn tolerating(self, builder: Builder) -> Builder {
        let builder = OUTAGE.into_iter().fold(builder, Builder::tolerate_errors);
        if self != Self::DiskFull {
            return builder;
        }
        NODE_ENDS.into_iter().fold(builder, Builder::tolerate_errors)
    }

    /// Sets up what is not between a cluster and its servers, before its processes start.
    pub(super) fn prepare(self, cluster: &mut Cluster, way: &Way) {
        let text = |path: PathBuf| path.to_str().expect("a readable path").to_owned();
        if let Way::Disk(disk) = way {
            let node = cluster.node(STRUCK);
            node.set("/cluster/directory", text(disk.path().join("cluster")));
            node.set("/storage/rootDirectory", text(disk.path().join("root")));
            node.set("/storage/blobCache/directory", text(disk.path().join("cache")));
        }
        if let Self::Clocks(offset) = self {
            for (name, value) in wrong_clock::variables(offset) {
                cluster.node(STRUCK).set_variable(name, &value);
                cluster.gateway(0).set_variable(name, &value);
            }
        }
    }

    pub(super) async fn strike(self, cluster: &mut Cluster, way: &mut Way) {
        match (self, way) {
            (Self::DynamoDbThrottles, Way::Http(proxy)) => proxy.set(Mood::Refuses(3, 400, http_proxy::DYNAMODB_THROTTLED)),
            (Self::S3Fails, Way::Http(proxy)) => proxy.set(Mood::Refuses(10, 500, http_proxy::S3_INTERNAL_ERROR)),
            (Self::S3Slow, Way::Http(proxy)) => proxy.set(Mood::Slow(Duration::from_secs(2))),
            (_, Way::Wire(proxy)) => proxy.set(Fault::Cut),
            (_, Way::Server(redis)) => redis.restart().await,
            (_, Way::Disk(disk)) => disk.fill(0),
            (Self::Majority, _) => {
                let leader = cluster.leader().await;
                for node in [leader, (leader + 1) % 3] {
                    cluster.node(node).kill9();
                }
            }
            (Self::NodeFrozen, _) => cluster.node(STRUCK).signal(Signal::STOP),
            _ => {}
        }
    }

    pub(super) async fn heal(self, cluster: &mut Cluster, way: &Way) {
        match way {
            Way::Wire(proxy) => proxy.heal(),
            Way::Http(proxy) => {
                assert!(self == Self::S3Slow || proxy.refused() > 0, "nothing was refused");
                proxy.set(Mood::Fair);
            }
            Way::Disk(disk) => {
                // It takes no part any more once its log could not be written, and leaves it to whoever supervises it to start it again.
                wait::until("the node ends by itself", async || cluster.node(STRUCK).has_ended()).await;
                disk.free();
            }
            Way::Server(_) | Way::Nothing => {}
        }
        if self == Self::NodeFrozen {
            cluster.node(STRUCK).signal(Signal::CONT);
        }
        cluster.start().await;
        cluster.all_nodes_up().await;
    }
}
