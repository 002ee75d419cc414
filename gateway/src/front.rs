//! The side that clients see: a registry behind HTTP, from the first connection to the last.

use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use zot_auth::{Access, OpenError, Surroundings, rate::RateLimits, sessions::MemoryStore};
use zot_cluster::{ClaimKey, HashKey};
use zot_config::{Config, cluster::Cluster};
use zot_contract::Registry;
use zot_process::{Process, Step, http_tls_files};
use zot_proto::Dialer;
use zot_redis::Connection;
use zot_runtime::{file_watch::RELOAD_POLL, tasks::Tasks, telemetry::chain, tls::TlsSource};

use crate::{
    cluster_registry::{ClusterOptions, ClusterRegistry},
    http::{Gateway, Health, Logs, Opened, Options, internal},
    server::{Drained, Server, ServerOptions},
};

/// How long what runs in the background for an access may take to end when another one takes its place.
const KEEPERS_MAY_TAKE: Duration = Duration::from_secs(1);

/// The cluster of a configuration, as a registry.
pub fn cluster(process: &Process, cluster: &Cluster) -> anyhow::Result<ClusterRegistry> {
    let options = ClusterOptions {
        seeds: cluster.node_addresses(),
        hash_key: HashKey::new(cluster.hash_key_bytes().context("read cluster.hashKey")?),
        dialer: process.plane_tls()?.map_or_else(Dialer::plain, Dialer::secured),
    };
    Ok(ClusterRegistry::start(options, &process.tasks))
}

/// What serves clients.
#[derive(Debug)]
pub struct Front {
    gateway: Arc<Gateway>,
    address: SocketAddr,
    serving: JoinHandle<Drained>,
    stop: CancellationToken,
}

impl Front {
    /// Listens as the configuration says. Those who ask are told from now on that the process lives and is starting.
    pub async fn listen(process: &Process) -> anyhow::Result<Self> {
        let http = &process.config.http;
        let logs = Logs { access: process.logs.access_log(), audit: process.audit.clone() };
        let gateway = Arc::new(Gateway::new(Options::configured(http)?, Health::new(), logs));
        let options = ServerOptions { drain_timeout: process.ending.share_of(Step::Clients), ..ServerOptions::configured(http) };
        let options = options.within(process.descriptors_max);
        let server = Server::bind(&http.listen_address(), tls(process)?, Arc::clone(&gateway), &options).await?;
        let (address, stop) = (server.address(), CancellationToken::new());
        let serving = tokio::spawn(server.serve(stop.clone()));
        Ok(Self { gateway, address, serving, stop })
    }

    /// Tells those who ask what the process is doing before it serves.
    pub fn is_doing(&self, what: impl Into<Cow<'static, str>>) {
        self.gateway.health().is_doing(what);
    }

    /// Serves `registry` from now on. Requests are welcome while `supplied` says that what it depends on is there.
    pub async fn open(
        &self,
        process: &Process,
        registry: Arc<dyn Registry>,
        supplied: impl Fn() -> bool + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        self.is_doing("finding out who may do what");
        let claims = claim_key(process)?;
        let doors = Doors { registry: Arc::clone(&registry), claims: claims.clone(), logins: Arc::new(MemoryStore::of_logins()) };
        let (access, keepers) = doors.open(&process.config).await?;
        let opened = Opened { registry, access: ArcSwap::from_pointee(access), rate: rate_limits(process)?, claims };
        self.gateway.health().needs(supplied);
        self.gateway.open(opened);
        let follow = doors.follow(process.configurations(), keepers, Arc::clone(&self.gateway), process.tasks.stop());
        process.tasks.spawn("reload-access", follow);
        announce(process, self.address);
        Ok(())
    }

    /// Lets nobody in any more, and waits until requests under way have ended or were cut.
    pub async fn drain(self) -> anyhow::Result<Drained> {
        self.stop.cancel();
        self.serving.await.context("serve")
    }
}

/// What makes access, again whenever the configuration changes.
struct Doors {
    registry: Arc<dyn Registry>,
    claims: Option<ClaimKey>,
    /// What outlives each access: who began to log in under one may end under the next.
    logins: Arc<MemoryStore>,
}

impl Doors {
    /// Access as `config` says, and what runs in the background for it.
    async fn open(&self, config: &Config) -> Result<(Access, Tasks), OpenError> {
        let tasks = Tasks::new();
        let claims = self.claims.clone();
        let internal = Arc::new(move || internal(claims.as_ref()));
        let (registry, logins) = (Arc::clone(&self.registry), Arc::clone(&self.logins));
        let surroundings = Surroundings { registry, tasks: tasks.clone(), internal, logins };
        Ok((Access::open(config, &surroundings).await?, tasks))
    }

    /// Exchanges the access of `gateway` whenever another configuration is there; what cannot be used leaves it as it is.
    async fn follow(
        self,
        mut configurations: watch::Receiver<Arc<Config>>,
        mut keepers: Tasks,
        gateway: Arc<Gateway>,
        stop: CancellationToken,
    ) {
        while let Some(Ok(())) = stop.run_until_cancelled(configurations.changed()).await {
            let config = Arc::clone(&configurations.borrow_and_update());
            match self.open(&config).await {
                Ok((access, tasks)) => {
                    gateway.replace_access(access);
                    tracing::info!("who may do what is taken up from the configuration");
                    std::mem::replace(&mut keepers, tasks).shutdown(KEEPERS_MAY_TAKE).await;
                }
                Err(error) => tracing::error!(error = %chain(&error), "could not take up who may do what, it stays as it was"),
            }
        }
        keepers.shutdown(KEEPERS_MAY_TAKE).await;
    }
}

/// The key that nodes of a cluster know the claims of their gateways by.
fn claim_key(process: &Process) -> anyhow::Result<Option<ClaimKey>> {
    let Some(cluster) = &process.config.cluster else { return Ok(None) };
    let secret = cluster.claim_secret().context("read cluster.claimKeyFile")?;
    Ok(Some(ClaimKey::new(secret.reveal().as_bytes())))
}

/// How many requests clients may send; in a cluster they are counted in its Redis, if it has one.
fn rate_limits(process: &Process) -> anyhow::Result<Option<Arc<RateLimits>>> {
    let Some(settings) = &process.config.http.ratelimit else { return Ok(None) };
    let redis = process.config.cluster.as_ref().and_then(|cluster| cluster.redis.as_ref());
    let shared = redis.map(Connection::open).transpose().context("read cluster.redis")?;
    let rate = Arc::new(RateLimits::new(settings, shared));
    process.tasks.spawn("forget-clients", Arc::clone(&rate).forget(process.tasks.stop()));
    Ok(Some(rate))
}

/// Loads the certificate, and keeps looking for a newer one.
fn tls(process: &Process) -> anyhow::Result<Option<Arc<TlsSource>>> {
    let Some(files) = http_tls_files(&process.config.http) else { return Ok(None) };
    let source = Arc::new(TlsSource::load(files)?);
    process.tasks.spawn("reload-certificates", Arc::clone(&source).watch(RELOAD_POLL, process.tasks.stop()));
    Ok(Some(source))
}

fn announce(process: &Process, address: SocketAddr) {
    let http = &process.config.http;
    if http.port == 0 {
        tracing::info!(port = address.port(), address = %address.ip(), "port is unspecified, listening on kernel chosen port");
    }
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    tracing::info!(%address, "serving {scheme}://{address}, push with: docker push {address}/<repository>:<tag>");
}
