//! A node's internal plane: what it serves, from the first connection to the last call.

use std::{io, sync::Arc, time::Duration};

use futures::{Stream, future};
use tokio::{net::TcpListener, sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use zot_contract::Registry;
use zot_runtime::tls::TlsSource;

use crate::{ClusterPlane, Connection, lanes, server, transport};

/// The most lanes that wait to be served: one waits for no longer than it takes to begin the ones before it.
const LANES_WAITING_MAX: usize = 64;

/// What is served on the internal plane.
#[derive(Clone)]
pub struct Services {
    /// What content is asked of.
    pub registry: Arc<dyn Registry>,
    /// What the cluster is asked of, if there is one.
    pub cluster: Option<Arc<dyn ClusterPlane>>,
}

/// The internal plane came to an end that nobody asked for.
#[derive(Debug, thiserror::Error)]
#[error("serve the internal plane")]
pub struct ServeError(#[source] tonic::transport::Error);

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every call was answered.
    Drained,
    /// Some calls were still under way when their time was over.
    CutOff,
}

/// Serves until `stop` is cancelled; then lets calls and transfers under way finish, for as long as `drain_within` says when it is asked then.
/// Callers are told to make their next calls elsewhere, or over a new connection.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<TlsSource>>,
    services: Services,
    drain_within: impl FnOnce() -> Duration + Send,
    stop: CancellationToken,
) -> Result<Stopped, ServeError> {
    serve_connections(transport::incoming(listener, tls), services, drain_within, stop).await
}

/// The same over connections that the caller brings: those of a [`Network`](crate::Network).
pub async fn serve_connections(
    incoming: impl Stream<Item = io::Result<Connection>> + Send,
    services: Services,
    drain_within: impl FnOnce() -> Duration + Send,
    stop: CancellationToken,
) -> Result<Stopped, ServeError> {
    let (lanes, carried) = mpsc::channel(LANES_WAITING_MAX);
    let carrying = lanes::serve_all(carried, Arc::clone(&services.registry), stop.clone());
    let incoming = transport::sorted(incoming, lanes);
    let routes = server::routes(services, &stop);
    let answering = transport::server().add_routes(routes).serve_with_incoming_shutdown(incoming, stop.cancelled());
    let overdue = async {
        stop.cancelled().await;
        sleep(drain_within()).await;
    };
    tokio::select! {
        (answered, ()) = future::join(answering, carrying) => answered.map(|()| Stopped::Drained).map_err(ServeError),
        () = overdue => Ok(Stopped::CutOff),
    }
}
