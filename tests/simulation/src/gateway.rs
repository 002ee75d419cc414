//! The gateways, as clients reach them.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use zot_cluster::HashKey;
use zot_contract::Error;
use zot_gateway::cluster_registry::{ClusterOptions, ClusterRegistry};
use zot_proto::Dialer;
use zot_runtime::tasks::Tasks;

use crate::{network::End, node::HASH_KEY, random::Random};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// A gateway that runs.
#[derive(Clone)]
struct Gateway {
    handle: Handle,
    registry: ClusterRegistry,
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
    pub(crate) fn start(&self, gateway: usize, handle: &Handle, end: End, seeds: Vec<String>) {
        let _inside = handle.enter();
        let options = ClusterOptions { seeds, hash_key: HashKey::new(HASH_KEY), dialer: Dialer::over(Arc::new(end)) };
        let registry = ClusterRegistry::start(options, &Tasks::new());
        self.running.lock()[gateway] = Some(Gateway { handle: handle.clone(), registry });
    }

    /// Nobody reaches a gateway any more.
    pub(crate) fn end(&self, gateway: usize) {
        self.running.lock()[gateway] = None;
    }

    pub(crate) fn registry(&self, gateway: usize) -> Option<ClusterRegistry> {
        self.running.lock()[gateway].as_ref().map(|gateway| gateway.registry.clone())
    }

    /// Lets a gateway do what a client asks for, in the gateway's process.
    pub(crate) async fn ask<T, F>(&self, gateway: usize, call: impl FnOnce(ClusterRegistry) -> F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        sleep(self.random.milliseconds(1..6)).await;
        let Some(Gateway { handle, registry }) = self.running.lock()[gateway].clone() else { return Err(Failure::Lost) };
        let answer = AbortOnDropHandle::new(handle.spawn(call(registry)));
        let answer = timeout(PATIENCE, answer).await.map_err(|_| Failure::Lost)?.map_err(|_| Failure::Lost)?;
        sleep(self.random.milliseconds(1..6)).await;
        answer.map_err(Failure::Refused)
    }
}
