//! The server loop: listens, limits, serves HTTP/1.1 and HTTP/2 over TCP or TLS, and drains.

mod activity;
mod connection;
mod exchange;
mod options;
mod plain_io;
mod watched_io;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use zot_runtime::{listening, tls::TlsSource};

use crate::http::{Gateway, Stage};

use self::connection::Connections;

pub use self::options::ServerOptions;

/// How long accepting rests when the system is out of file descriptors or memory, which only others' end can mend.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that listens; clients that connect before [`Server::serve`] wait.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    connections: Arc<Connections>,
    slots: Arc<Semaphore>,
    drain_timeout: Duration,
}

/// The server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("listen on {address}")]
pub struct ListenError {
    /// Where it was to listen.
    address: String,
    /// Why it cannot.
    #[source]
    source: io::Error,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because their requests did not end within the time to drain.
    pub cut: usize,
}

impl Server {
    /// Listens on `address`, a `host:port` whose port may be 0 for one of the system's choice. With `tls` every connection is encrypted.
    pub async fn bind(
        address: &str,
        tls: Option<Arc<TlsSource>>,
        gateway: Arc<Gateway>,
        options: &ServerOptions,
    ) -> Result<Self, ListenError> {
        let failed = |source| ListenError { address: address.to_owned(), source };
        let listener = listening::bind(address).await.and_then(|socket| socket.listen(listening::BACKLOG)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            connections: Arc::new(Connections::new(gateway, tls, options)),
            slots: Arc::new(Semaphore::new(options.connections_max.min(Semaphore::MAX_PERMITS))),
            drain_timeout: options.drain_timeout,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, then lets requests under way finish within the time to drain, and cuts the rest.
    pub async fn serve(self, stop: CancellationToken) -> Drained {
        let tasks = TaskTracker::new();
        while let Some(Some((stream, peer, slot))) = stop.run_until_cancelled(self.accept()).await {
            let connections = Arc::clone(&self.connections);
            tasks.spawn(async move {
                connections.serve(stream, peer).await;
                drop(slot);
            });
        }
        self.connections.health().enter(Stage::Draining);
        drop(self.listener);
        drain(&self.connections, &tasks, self.drain_timeout).await
    }

    /// The next connection, as soon as there may be one more; nothing only if the server is gone.
    async fn accept(&self) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return Some((stream, peer, slot)),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused | Kind::Interrupted)
}

async fn drain(connections: &Connections, tasks: &TaskTracker, time: Duration) -> Drained {
    tasks.close();
    connections.drain();
    if tokio::time::timeout(time, tasks.wait()).await.is_ok() {
        return Drained { cut: 0 };
    }
    let cut = tasks.len();
    tracing::warn!(connections = cut, "cut connections whose requests did not end in time");
    connections.cut();
    Drained { cut }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
