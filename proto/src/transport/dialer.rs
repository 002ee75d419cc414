//! The end that calls.

use std::{error::Error as StdError, fmt::Debug, io, str::FromStr as _, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls_pki_types::{InvalidDnsNameError, ServerName};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;
use zot_runtime::tls::TlsSource;

use super::{
    CONNECTION_WINDOW_BYTES, FRAME_BYTES_MAX, HEADER_LIST_BYTES_MAX, PING_EVERY, PONG_WITHIN, STREAM_WINDOW_BYTES, begun,
    connection::Connection,
};

/// How long a connection may take to come about, with its handshake. Nodes of one cluster are close to each other.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// How long nobody is dialed by a channel after that failed. Its calls that wait for a connection come one after another, and would else each wait
/// for an attempt of its own.
const REST: Duration = Duration::from_millis(100);

/// Makes connections to nodes, with or without TLS.
///
/// With TLS, the node's certificate must chain to the authority and name the host of the address that was dialed; ours is shown to it. Both
/// are taken from the files as they are when a connection is made.
#[derive(Clone, Debug)]
pub struct Dialer {
    way: Way,
}

/// What connections go over.
#[derive(Clone, Debug)]
enum Way {
    Plain,
    Secured(Arc<TlsSource>),
    Given(Arc<dyn Network>),
}

/// A network other than this machine's: a simulated one.
#[async_trait::async_trait]
pub trait Network: Send + Sync + Debug {
    /// A connection to `address`, as `host:port`.
    async fn connect(&self, address: &str) -> io::Result<Connection>;
}

/// An address that nothing can be reached at.
#[derive(Debug, thiserror::Error)]
#[error("use `{address}` as the address of a node")]
pub struct InvalidAddress {
    address: String,
    #[source]
    source: Box<dyn StdError + Send + Sync>,
}

impl Dialer {
    /// Dials without TLS.
    pub fn plain() -> Self {
        Self { way: Way::Plain }
    }

    /// Dials with TLS. The files must name an authority: without one no connection comes about.
    pub fn secured(tls: Arc<TlsSource>) -> Self {
        Self { way: Way::Secured(tls) }
    }

    /// Dials over a network of the caller's.
    pub fn over(network: Arc<dyn Network>) -> Self {
        Self { way: Way::Given(network) }
    }

    /// A channel to the node at `address`, such as `node-1:9090`. It connects with the first call, and again whenever the connection was lost.
    pub(crate) fn channel(&self, address: &str) -> Result<Channel, InvalidAddress> {
        let destination = self.destination(address)?;
        let endpoint = endpoint(destination.uri.clone());
        let failed = Arc::<Mutex<Option<Failed>>>::default();
        let connect = service_fn(move |_: Uri| {
            let (destination, failed) = (destination.clone(), Arc::clone(&failed));
            async move {
                if let Some(failed) = failed.lock().as_ref().filter(|failed| failed.at.elapsed() < REST) {
                    return Err(io::Error::new(failed.kind, failed.told.clone()));
                }
                let connected = destination.connect_for_calls().await;
                *failed.lock() = connected.as_ref().err().map(Failed::now);
                connected.map(TokioIo::new)
            }
        });
        Ok(endpoint.connect_with_connector_lazy(connect))
    }

    /// The node at `address`, to connect to.
    pub(crate) fn destination(&self, address: &str) -> Result<Destination, InvalidAddress> {
        let invalid = |source: Box<dyn StdError + Send + Sync>| InvalidAddress { address: address.to_owned(), source };
        let uri = Uri::from_str(&format!("http://{address}")).map_err(|error| invalid(error.into()))?;
        let (Some(host), Some(_)) = (uri.host(), uri.port_u16()) else {
            return Err(invalid("it is not of the form host:port".into()));
        };
        let name = server_name(host).map_err(|error| invalid(error.into()))?;
        Ok(Destination { address: address.into(), uri, name, way: self.way.clone() })
    }
}

/// When dialing failed last, and how.
struct Failed {
    at: Instant,
    kind: io::ErrorKind,
    told: String,
}

impl Failed {
    fn now(error: &io::Error) -> Self {
        Self { at: Instant::now(), kind: error.kind(), told: error.to_string() }
    }
}

/// A node that can be dialed.
#[derive(Clone)]
pub(crate) struct Destination {
    address: Arc<str>,
    uri: Uri,
    name: ServerName<'static>,
    way: Way,
}

impl Destination {
    /// A new connection, with its handshake.
    pub(crate) async fn connect(&self) -> io::Result<Connection> {
        timeout(CONNECT_WITHIN, self.dial()).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// The same, that the node has taken up with HTTP/2.
    async fn connect_for_calls(&self) -> io::Result<Connection> {
        loop {
            let begun = Instant::now();
            let taken_up = async { begun::taken_up(self.dial().await?).await };
            let connected = timeout(CONNECT_WITHIN, taken_up).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            // Nobody asks on when whoever wanted it goes away. If the next one comes much later, the other end may have given it up, and what it
            // came to says nothing of now.
            let limit = if connected.is_ok() { CONNECT_WITHIN } else { 2 * CONNECT_WITHIN };
            if begun.elapsed() <= limit {
                return connected;
            }
        }
    }

    async fn dial(&self) -> io::Result<Connection> {
        if let Way::Given(network) = &self.way {
            return network.connect(&self.address).await;
        }
        let socket = TcpStream::connect(&*self.address).await?;
        socket.set_nodelay(true)?;
        let Way::Secured(tls) = &self.way else {
            return Ok(Connection::plain(socket));
        };
        let connector = tls.connector().ok_or_else(|| io::Error::other("tls has no authority to check the node's certificate against"))?;
        Ok(Connection::new(connector.connect(self.name.clone(), socket).await?))
    }
}

fn endpoint(uri: Uri) -> Endpoint {
    Endpoint::from(uri)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .keep_alive_while_idle(true)
}

/// The name that the certificate must have: brackets belong to addresses, not to names.
fn server_name(host: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
    ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::net::TcpListener;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn only_a_host_with_a_port_can_be_dialed() {
        for address in ["127.0.0.1:1", "localhost:1", "[::1]:1", "node-0.nodes.default.svc:9090"] {
            assert!(Dialer::plain().channel(address).is_ok(), "{address}");
        }
        for address in ["", "localhost", "http://localhost:1", "localhost:70000", "local host:1", "a_b..:1"] {
            assert!(Dialer::plain().channel(address).is_err(), "{address}");
        }
    }

    #[tokio::test]
    async fn calls_that_wait_for_a_node_that_says_nothing_fail_together() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let channel = Dialer::plain().channel(&silent.local_addr().unwrap().to_string()).unwrap();
        let call = |_| channel.clone().oneshot(tonic::codegen::http::Request::new(tonic::body::Body::empty()));
        let answers = futures::future::join_all((0..40).map(call)).await;
        assert!(answers.iter().all(Result::is_err));
        let mut dialed = 0;
        while silent.accept().now_or_never().is_some() {
            dialed += 1;
        }
        assert!((1..10).contains(&dialed), "it was dialed {dialed} times");
    }

    #[test]
    fn an_address_of_numbers_is_its_own_name() {
        assert!(matches!(server_name("[::1]"), Ok(ServerName::IpAddress(_))));
        assert!(matches!(server_name("127.0.0.1"), Ok(ServerName::IpAddress(_))));
        assert!(matches!(server_name("node-1"), Ok(ServerName::DnsName(_))));
    }
}
