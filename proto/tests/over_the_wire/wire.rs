//! A registry that is served on this machine, and one that asks it.

use std::sync::Arc;

use tokio::{net::TcpListener, task::JoinHandle};
use tonic::transport::{Uri, server::TcpIncoming};
use zot_contract::{Registry, suite::Fixture};
use zot_proto::{RemoteRegistry, routes, server};

/// Both ends. The server ends with it.
pub(crate) struct Wire {
    pub(crate) remote: RemoteRegistry,
    server: Server,
}

/// The server's end.
pub(crate) struct Server {
    uri: Uri,
    task: JoinHandle<()>,
}

impl Wire {
    /// Serves `registry` at a port of its own.
    pub(crate) async fn to(registry: Arc<dyn Registry>) -> Self {
        let server = Server::start(registry, 0).await;
        Self { remote: RemoteRegistry::at(server.uri.clone()), server }
    }

    /// The remote end, as a suite wants it.
    pub(crate) fn into_fixture(self) -> Fixture {
        Fixture::new(self.remote).keep(self.server)
    }
}

impl Server {
    /// Serves `registry` at `port`, or at one that is free.
    pub(crate) async fn start(registry: Arc<dyn Registry>, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let serve = async { server().add_routes(routes(registry)).serve_with_incoming(incoming).await.unwrap() };
        Self { uri, task: tokio::spawn(serve) }
    }

    /// Where it is.
    pub(crate) fn uri(&self) -> Uri {
        self.uri.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
