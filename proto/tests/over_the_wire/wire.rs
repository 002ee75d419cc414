//! A registry that is served on this machine, and one that asks it.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use zot_contract::{MemoryRegistry, Registry, suite::Fixture};
use zot_proto::{ClusterPlane, Dialer, RemoteRegistry, Services, Stopped, serve};
use zot_runtime::tls::TlsSource;

/// How long a server that is stopped waits for calls under way.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);

/// Both ends. The server ends with it.
pub(crate) struct Wire {
    pub(crate) remote: RemoteRegistry,
    server: Server,
}

/// The server's end.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) stop: CancellationToken,
    task: Option<JoinHandle<Stopped>>,
}

impl Wire {
    /// Serves `registry` at a port of its own.
    pub(crate) async fn to(registry: Arc<dyn Registry>) -> Self {
        let server = Server::start(registry, 0).await;
        Self { remote: server.remote(), server }
    }

    /// The remote end, as a suite wants it.
    pub(crate) fn into_fixture(self) -> Fixture {
        Fixture::new(self.remote).keep(self.server)
    }
}

impl Server {
    /// Serves `registry` at `port`, or at one that is free.
    pub(crate) async fn start(registry: Arc<dyn Registry>, port: u16) -> Self {
        Self::of(Services { registry, cluster: None }, None, port).await
    }

    /// Serves a cluster, with a registry in memory.
    pub(crate) async fn of_cluster(plane: Arc<dyn ClusterPlane>) -> Self {
        Self::of(Services { registry: Arc::new(MemoryRegistry::default()), cluster: Some(plane) }, None, 0).await
    }

    /// Serves whatever it is given.
    pub(crate) async fn of(services: Services, tls: Option<Arc<TlsSource>>, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        let serving = serve(listener, tls, services, || DRAIN_WITHIN, stop.clone());
        Self { address, stop, task: Some(tokio::spawn(async { serving.await.unwrap() })) }
    }

    pub(crate) fn remote(&self) -> RemoteRegistry {
        RemoteRegistry::dial(&Dialer::plain(), &self.address).unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// How it ended, once it was told to stop.
    pub(crate) async fn stopped(mut self) -> Stopped {
        self.task.take().unwrap().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.iter().for_each(JoinHandle::abort);
    }
}
