//! The side that clients see: a registry behind HTTP, from the first connection to the last.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zot_auth::{Access, Surroundings};
use zot_cluster::HashKey;
use zot_config::cluster::Cluster;
use zot_contract::Registry;
use zot_process::Process;
use zot_proto::Dialer;
use zot_runtime::tls::{RELOAD_POLL, TlsSource};

use crate::{
    cluster_registry::{ClusterOptions, ClusterRegistry},
    http::{Gateway, Health, Logs, Options},
    server::{Drained, Server, ServerOptions},
    tls_files,
};

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
    serving: JoinHandle<Drained>,
    stop: CancellationToken,
}

impl Front {
    /// Listens as the configuration says and serves `registry` from now on.
    pub async fn open(process: &Process, registry: Arc<dyn Registry>, health: Health) -> anyhow::Result<Self> {
        let http = &process.config.http;
        let logs = Logs { access: process.logs.access_log(), audit: process.audit.clone() };
        let surroundings = Surroundings { registry: Arc::clone(&registry), tasks: process.tasks.clone() };
        let access = Access::open(&process.config, &surroundings).await?;
        let gateway = Gateway::new(registry, access, Options::configured(http)?, health, logs);
        let options = ServerOptions { drain_timeout: process.requests_may_take(), ..ServerOptions::configured(http) };
        let server = Server::bind(&http.listen_address(), tls(process)?, Arc::new(gateway), &options).await?;
        announce(process, server.address());
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.serve(stop.clone()));
        Ok(Self { serving, stop })
    }

    /// Lets nobody in any more, and waits until requests under way have ended or were cut.
    pub async fn drain(self) -> anyhow::Result<Drained> {
        self.stop.cancel();
        self.serving.await.context("serve")
    }
}

/// Loads the certificate, and keeps looking for a newer one.
fn tls(process: &Process) -> anyhow::Result<Option<Arc<TlsSource>>> {
    let Some(files) = tls_files(&process.config.http) else { return Ok(None) };
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
