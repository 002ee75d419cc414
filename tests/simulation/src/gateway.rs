//! The gateways, as clients reach them.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use zot_cluster::{Acts, Claim, ClaimKey, Grants, HashKey};
use zot_contract::{Context, Error, SealedClaim, suite::content};
use zot_gateway::cluster_registry::{ClusterOptions, ClusterRegistry};
use zot_oci::RepositoryName;
use zot_proto::Dialer;
use zot_runtime::tasks::Tasks;
use zot_storage::WallClock;

use crate::{network::End, node::HASH_KEY, random::Random};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// A gateway that runs.
#[derive(Clone)]
struct Gateway {
    handle: Handle,
    registry: ClusterRegistry,
    wall: WallClock,
}

impl Gateway {
    /// What a client's call is about for nodes: the gateway vouches for all that can be done in the repository.
    fn context(&self, repository: &RepositoryName) -> Context {
        let cx = content::context("alice");
        let acts = Acts { read: true, create: true, update: true, delete: true };
        let grants = Grants::Repository { name: repository.to_string(), acts, from: None };
        let claim = Claim::made_at(self.wall.now(), cx.subject.name(), grants);
        cx.claimed(SealedClaim::new(ClaimKey::new(&HASH_KEY).seal(&claim)))
    }
}

/// All gateways; clones share them.
#[derive(Clone)]
pub(crate) struct Gateways {
    running: Arc<Mutex<Vec<Option<Gateway>>>>,
    random: Random,
}

/// A client was not served.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It got no answer.
    Lost,
    /// The gateway said why.
    Refused(Error),
}

impl Gateways {
    pub(crate) fn new(count: usize, random: Random) -> Self {
        Self { running: Arc::new(Mutex::new(vec![None; count])), random }
    }

    pub(crate) fn len(&self) -> usize {
        self.running.lock().len()
    }

    /// Starts a gateway in a process.
    pub(crate) fn start(&self, gateway: usize, handle: &Handle, end: End, seeds: Vec<String>, wall: WallClock) {
        let _inside = handle.enter();
        let options = ClusterOptions { seeds, hash_key: HashKey::new(HASH_KEY), dialer: Dialer::over(Arc::new(end)) };
        let registry = ClusterRegistry::start(options, &Tasks::new());
        self.running.lock()[gateway] = Some(Gateway { handle: handle.clone(), registry, wall });
    }

    /// Nobody reaches a gateway any more.
    pub(crate) fn end(&self, gateway: usize) {
        self.running.lock()[gateway] = None;
    }

    pub(crate) fn registry(&self, gateway: usize) -> Option<ClusterRegistry> {
        self.running.lock()[gateway].as_ref().map(|gateway| gateway.registry.clone())
    }

    /// Lets a gateway do what a client asks for in a repository, in the gateway's process.
    pub(crate) async fn ask<T, F>(
        &self,
        gateway: usize,
        repository: &RepositoryName,
        call: impl FnOnce(ClusterRegistry, Context) -> F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        sleep(self.random.milliseconds(1..6)).await;
        let Some(gateway) = self.running.lock()[gateway].clone() else { return Err(Failure::Lost) };
        let cx = gateway.context(repository);
        let answer = AbortOnDropHandle::new(gateway.handle.spawn(call(gateway.registry, cx)));
        let answer = timeout(PATIENCE, answer).await.map_err(|_| Failure::Lost)?.map_err(|_| Failure::Lost)?;
        sleep(self.random.milliseconds(1..6)).await;
        answer.map_err(Failure::Refused)
    }
}
