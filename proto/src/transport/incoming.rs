//! The end that is called: connections that are ready to be served, handshake included.

use std::{future, net::SocketAddr, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use zot_runtime::{telemetry::chain, tls::TlsSource};

use super::connection::Connection;

/// The most handshakes at a time; more callers wait to be accepted.
const HANDSHAKES_MAX: usize = 256;
/// How long a handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// How long it is waited after the system could not accept a connection: mostly there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The connections that come in. With TLS, callers must show a certificate of the authority that the files name.
pub(crate) fn incoming(listener: TcpListener, tls: Option<Arc<TlsSource>>) -> impl Stream<Item = std::io::Result<Connection>> {
    let sockets = stream::unfold(listener, async |listener| Some((accepted(&listener).await, listener)));
    let secured = sockets.map(move |(socket, peer)| secured(socket, peer, tls.clone())).buffer_unordered(HANDSHAKES_MAX);
    secured.filter_map(future::ready).map(Ok)
}

async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => tracing::warn!(%error, "could not accept a connection to the internal plane"),
        }
        sleep(ACCEPT_PAUSE).await;
    }
}

/// The connection, unless the handshake fails.
async fn secured(socket: TcpStream, peer: SocketAddr, tls: Option<Arc<TlsSource>>) -> Option<Connection> {
    // A connection on which this fails is slower, and no worse.
    let _ = socket.set_nodelay(true);
    let Some(tls) = tls else {
        return Some(Connection::plain(socket));
    };
    match timeout(HANDSHAKE_WITHIN, tls.acceptor().accept(socket)).await {
        Ok(Ok(connection)) => return Some(Connection::new(connection)),
        Ok(Err(error)) => tracing::warn!(%peer, error = %chain(&error), "refused a connection to the internal plane"),
        Err(_) => tracing::warn!(%peer, "gave up a handshake on the internal plane that took too long"),
    }
    None
}
