//! One connection from its first byte to its last.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use http::{Request, StatusCode};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use rustls::{ProtocolVersion, ServerConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;
use zot_auth::{Peer, PeerTls};
use zot_runtime::{progress::ProgressIo, tls::TlsSource};

use super::{
    ServerOptions,
    activity::{Activity, Verdict},
    exchange::{Exchange, Watched, answer},
    plain_io::PlainIo,
    watched_io::WatchedIo,
};
use crate::{
    http::{Gateway, Health},
    outlet::Outlet,
};

/// The most bytes of a request's head: a path of the longest name and tags, and a token.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// The most bytes read ahead or buffered to be written on a connection of HTTP/1. Uploads arrive in pieces of at most this size.
const BUFFER_BYTES_MAX: usize = 256 * 1024;
/// The most bytes that a client may send ahead on one stream of HTTP/2, and on all of a connection together.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// The largest frame of HTTP/2: larger ones save headers, smaller ones let streams take turns.
const FRAME_BYTES_MAX: u32 = 256 * 1024;
/// The most requests at a time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 128;
/// How often a silent connection of HTTP/2 is asked whether its client still lives.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// What all connections of a server share.
pub(super) struct Connections {
    gateway: Arc<Gateway>,
    tls: Option<Arc<TlsSource>>,
    options: ServerOptions,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    drain: CancellationToken,
    cut: CancellationToken,
}

impl Connections {
    pub(super) fn new(gateway: Arc<Gateway>, tls: Option<Arc<TlsSource>>, options: &ServerOptions) -> Self {
        Self {
            gateway,
            tls,
            options: options.clone(),
            http1: http1(),
            http2: http2(),
            drain: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }

    pub(super) fn health(&self) -> &Health {
        self.gateway.health()
    }

    /// Lets every connection finish what it has, and take no more.
    pub(super) fn drain(&self) {
        self.drain.cancel();
    }

    /// Ends every connection at once.
    pub(super) fn cut(&self) {
        self.cut.cancel();
    }

    /// Serves one connection until it ends.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "could not switch off Nagle's algorithm");
        }
        let Some(tls) = &self.tls else {
            let outlet = Outlet::default();
            let stream = ProgressIo::new(PlainIo::new(stream, outlet.clone()), self.options.write_progress);
            return self.serve_stream(stream, Peer::plain(peer), Some(outlet)).await;
        };
        let stream = ProgressIo::new(stream, self.options.write_progress);
        let handshake = tokio::time::timeout(self.options.header_read_timeout, tls.acceptor().accept(stream));
        match self.drain.run_until_cancelled(handshake).await {
            Some(Ok(Ok(stream))) => {
                let peer = encrypted(peer, stream.get_ref().1);
                self.serve_stream(stream, peer, None).await;
            }
            Some(Ok(Err(error))) => tracing::debug!(%peer, %error, "tls handshake failed"),
            Some(Err(_)) => tracing::debug!(%peer, "tls handshake took too long"),
            None => {}
        }
    }

    async fn serve_stream<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S, peer: Peer, outlet: Option<Outlet>) {
        let address = peer.address;
        let activity = Arc::new(Activity::new());
        let first = tokio::time::timeout(self.options.header_read_timeout, WatchedIo::begin(stream, Arc::clone(&activity)));
        let Some(Ok(Ok(io))) = self.drain.run_until_cancelled(first).await else {
            return;
        };
        let outlet = outlet.filter(|_| !io.speaks_http2());
        let service = self.service(Arc::new(peer), outlet, &activity);
        if io.speaks_http2() {
            activity.share();
            let connection = self.http2.serve_connection(TokioIo::new(io), service);
            self.supervise(connection, &activity, address).await;
        } else {
            let connection = self.http1.serve_connection(TokioIo::new(io), service);
            self.supervise(connection, &activity, address).await;
        }
    }

    fn service(
        &self,
        peer: Arc<Peer>,
        outlet: Option<Outlet>,
        activity: &Arc<Activity>,
    ) -> impl Service<Request<Incoming>, Response = http::Response<Watched>, Error = Infallible, Future: Send> + use<> {
        let (gateway, activity) = (Arc::clone(&self.gateway), Arc::clone(activity));
        service_fn(move |request| {
            let answer = answer(Arc::clone(&gateway), Arc::clone(&peer), outlet.clone(), Exchange::begin(&activity), request);
            async move { Ok(answer.await) }
        })
    }

    async fn supervise<C: GracefulConnection<Error = hyper::Error>>(&self, connection: C, activity: &Activity, peer: SocketAddr) {
        let mut connection = pin!(connection);
        let mut look = pin!(tokio::time::sleep(self.options.header_read_timeout));
        let mut draining = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        if let Some(status) = refused_with(&error) {
                            self.gateway.unreadable(peer, status);
                        }
                        tracing::debug!(%peer, %error, "connection broke");
                    }
                    return;
                }
                () = self.drain.cancelled(), if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.cut.cancelled(), if draining => return,
                () = look.as_mut() => match activity.verdict(&self.options) {
                    Verdict::Wait(time) => look.as_mut().reset(tokio::time::Instant::now() + time),
                    Verdict::Cut(reason) => return tracing::debug!(%peer, reason, "cut a connection"),
                    Verdict::Close => {
                        connection.as_mut().graceful_shutdown();
                        look.as_mut().reset(tokio::time::Instant::now() + self.options.header_read_timeout);
                    }
                }
            }
        }
    }
}

/// What hyper has answered by itself, if that is why the connection ended; for HTTP/2 it does not tell.
fn refused_with(error: &hyper::Error) -> Option<StatusCode> {
    if error.is_parse_too_large() {
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else {
        error.is_parse().then_some(StatusCode::BAD_REQUEST)
    }
}

/// What a finished handshake tells of the client.
fn encrypted(address: SocketAddr, connection: &ServerConnection) -> Peer {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "1.3",
        _ => "1.2",
    };
    let certificate = connection.peer_certificates().and_then(|chain| chain.first()).map(|certificate| Arc::from(certificate.as_ref()));
    Peer { address, tls: Some(PeerTls { version, certificate }) }
}

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Activity judges heads and idleness; hyper's timer would be set anew for every request.
        .header_read_timeout(None)
        // `Docker-Content-Digest`, as zot writes it: scripts look for it as it stands.
        .title_case_headers(true)
        // An outlet wants to be given what it puts something else in the place of, and no copy.
        .writev(true)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    builder
}

fn http2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_send_buf_size(BUFFER_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .keep_alive_interval(PING_INTERVAL);
    builder
}
