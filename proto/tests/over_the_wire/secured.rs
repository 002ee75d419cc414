//! Certificates on both ends.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use zot_contract::{Catalog as _, Context, MemoryRegistry, PageRequest, Registry, Result, suite::Fixture, suite::registry_suite};
use zot_proto::{Dialer, RemoteRegistry, Services, Unreachable};
use zot_runtime::tls::{TlsFiles, TlsSource};

use crate::wire::Server;

/// A test that takes longer hangs. Generous, because nothing here measures speed.
const HANG: Duration = Duration::from_secs(60);

/// An authority, and the files of one process, which can be exchanged.
pub(crate) struct Identity {
    folder: TempDir,
    tls: Arc<TlsSource>,
}

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn path(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

/// Writes a certificate for `host` by `issuer`, and the authority that others are checked against.
fn write(folder: &TempDir, issuer: &Authority, trusted: &Authority, host: &str) {
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    for (name, text) in [("cert", cert.pem()), ("key", key.serialize_pem()), ("ca", trusted.pem())] {
        std::fs::write(path(folder, name), text).unwrap();
    }
}

impl Identity {
    pub(crate) fn new(issuer: &Authority, trusted: &Authority, host: &str) -> Self {
        let folder = TempDir::new().unwrap();
        write(&folder, issuer, trusted, host);
        let files = TlsFiles {
            cert: path(&folder, "cert"),
            key: path(&folder, "key"),
            client_ca: Some(path(&folder, "ca")),
            client_optional: false,
        };
        Self { tls: Arc::new(TlsSource::load(files).unwrap()), folder }
    }

    /// Takes another certificate, as the watch on the files does.
    fn exchange(&self, issuer: &Authority, trusted: &Authority, host: &str) {
        write(&self.folder, issuer, trusted, host);
        self.tls.reload().unwrap();
    }

    async fn serve(&self) -> Server {
        self.serve_registry(Arc::new(MemoryRegistry::default())).await
    }

    pub(crate) async fn serve_registry(&self, registry: Arc<dyn Registry>) -> Server {
        Server::of(Services { registry, cluster: None }, Some(self.tls.clone()), 0).await
    }

    pub(crate) fn dial(&self, server: &Server) -> RemoteRegistry {
        RemoteRegistry::dial(&Dialer::secured(self.tls.clone()), &server.address).unwrap()
    }
}

async fn ask(remote: &RemoteRegistry) -> Result<()> {
    remote.list_repositories(&Context::internal(), &PageRequest::first(1)).await.map(drop)
}

fn assert_unreachable(answer: &Result<()>) {
    assert!(answer.as_ref().is_err_and(Unreachable::caused), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept_between_two_who_know_each_other() {
    let authority = authority();
    let (node, gateway) = (Identity::new(&authority, &authority, "127.0.0.1"), Identity::new(&authority, &authority, "gateway"));
    registry_suite(async || {
        let server = node.serve().await;
        Fixture::new(gateway.dial(&server)).keep(server)
    })
    .await;
}

#[tokio::test]
async fn strangers_are_refused_at_either_end() {
    let (ours, theirs) = (authority(), authority());
    let node = Identity::new(&ours, &ours, "127.0.0.1");
    let server = node.serve().await;
    let plain = RemoteRegistry::dial(&Dialer::plain(), &server.address).unwrap();
    assert_unreachable(&ask(&plain).await);
    let stranger = Identity::new(&theirs, &ours, "gateway");
    assert_unreachable(&ask(&stranger.dial(&server)).await);
    let suspicious = Identity::new(&ours, &theirs, "gateway");
    assert_unreachable(&ask(&suspicious.dial(&server)).await);
    ask(&node.dial(&server)).await.unwrap();
}

#[tokio::test]
async fn a_node_must_be_who_was_dialed() {
    let authority = authority();
    let server = Identity::new(&authority, &authority, "another-node").serve().await;
    let gateway = Identity::new(&authority, &authority, "gateway");
    assert_unreachable(&ask(&gateway.dial(&server)).await);
}

#[tokio::test]
async fn a_dialer_without_an_authority_connects_to_nobody() {
    let authority = authority();
    let node = Identity::new(&authority, &authority, "127.0.0.1");
    let files = TlsFiles { cert: path(&node.folder, "cert"), key: path(&node.folder, "key"), client_ca: None, client_optional: false };
    let server = node.serve().await;
    let tls = Arc::new(TlsSource::load(files).unwrap());
    let remote = RemoteRegistry::dial(&Dialer::secured(tls), &server.address).unwrap();
    assert_unreachable(&ask(&remote).await);
}

#[tokio::test]
async fn an_exchanged_authority_counts_for_the_next_connection() {
    let (old, new) = (authority(), authority());
    let (node, gateway) = (Identity::new(&old, &old, "127.0.0.1"), Identity::new(&old, &old, "gateway"));
    let server = node.serve().await;
    let remote = gateway.dial(&server);
    ask(&remote).await.unwrap();
    node.exchange(&new, &new, "127.0.0.1");
    ask(&remote).await.unwrap();
    assert_unreachable(&ask(&gateway.dial(&server)).await);
    gateway.exchange(&new, &new, "gateway");
    let fresh = gateway.dial(&server);
    tokio::time::timeout(HANG, ask(&fresh)).await.unwrap().unwrap();
}
