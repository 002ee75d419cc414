//! TLS: both protocols, and clients that do not get through.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use zot_auth::Access;
use zot_contract::MemoryRegistry;
use zot_runtime::{
    telemetry::AccessLog,
    tls::{TlsFiles, TlsSource},
};

use crate::{
    http::{Gateway, Health, Logs, Opened, Options},
    sandbox::wire::Wire,
    server::{Server, ServerOptions},
};

/// A server with a certificate of its own, and what a client needs to trust it.
async fn start(options: &ServerOptions) -> (SocketAddr, RootCertStore, CancellationToken) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = TlsFiles {
        cert: file("cert.pem", made.cert.pem()),
        key: file("key.pem", made.signing_key.serialize_pem()),
        client_ca: None,
        client_optional: false,
    };
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let logs = Logs { access: AccessLog::disabled(), audit: None };
    let gateway = Gateway::new(Options::default(), Health::new(), logs);
    let (registry, access) = (Arc::new(MemoryRegistry::default()), ArcSwap::from_pointee(Access::default()));
    gateway.open(Opened { registry, access, rate: None, claims: None });
    let tls = Some(Arc::new(TlsSource::load(files).unwrap()));
    let server = Server::bind("127.0.0.1:0", tls, Arc::new(gateway), options).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    tokio::spawn(server.serve(stop.clone()));
    (address, roots, stop)
}

async fn connect(address: SocketAddr, roots: RootCertStore, protocol: &[u8]) -> TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn http1_is_served_over_tls() {
    let (address, roots, _stop) = start(&ServerOptions::default()).await;
    let mut stream = connect(address, roots, b"http/1.1").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn http2_is_served_over_tls() {
    let (address, roots, _stop) = start(&ServerOptions::default()).await;
    let stream = connect(address, roots, b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost/v2/").body(axum::body::Body::empty()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn plain_requests_to_tls_are_not_answered() {
    let (address, ..) = start(&ServerOptions::default()).await;
    let mut wire = Wire::connect(address).await;
    wire.send("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!String::from_utf8_lossy(&wire.read_to_end().await).contains("HTTP/1.1"));
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_cut() {
    let options = ServerOptions { header_read_timeout: Duration::from_millis(50), ..ServerOptions::default() };
    let (address, ..) = start(&options).await;
    assert!(Wire::connect(address).await.read_to_end().await.is_empty());
}
