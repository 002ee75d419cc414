//! Handshakes over a pipe, with certificates made on the spot.

mod reload;
mod serve;

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;

use super::{TlsError, TlsFiles, TlsSource};

/// An authority that issues certificates for `localhost`.
struct Authority(CertifiedIssuer<'static, KeyPair>);

struct Identity {
    cert_pem: String,
    cert: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        Identity { cert_pem: cert.pem(), cert: cert.der().clone(), key }
    }
}

/// The files of a server, in a folder of their own.
struct ServerFiles {
    folder: TempDir,
    authority: Authority,
}

impl ServerFiles {
    /// Writes a usable pair and returns its certificate with the files.
    fn new() -> (Self, CertificateDer<'static>) {
        let files = Self { folder: TempDir::new().unwrap(), authority: Authority::new() };
        let identity = files.authority.issue();
        files.write("cert.pem", &identity.cert_pem);
        files.write("key.pem", &identity.key.serialize_pem());
        (files, identity.cert)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes in place, as `cat >` does.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes beside and renames over, as most tools do.
    fn rename_over(&self, name: &str, text: &str) {
        self.write("new", text);
        std::fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn files(&self) -> TlsFiles {
        TlsFiles { cert: self.path("cert.pem"), key: self.path("key.pem"), client_ca: None, client_optional: false }
    }

    fn load(&self) -> TlsSource {
        TlsSource::load(self.files()).unwrap()
    }
}

/// What the client saw.
struct Seen {
    certificate: CertificateDer<'static>,
    alpn: Option<Vec<u8>>,
    version: rustls::ProtocolVersion,
}

fn client(authority: &Authority) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    client_of(authority, rustls::DEFAULT_VERSIONS)
}

fn client_of(
    authority: &Authority,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

fn with_identity(authority: &Authority, identity: &Identity) -> ClientConfig {
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    client(authority).with_client_auth_cert(vec![identity.cert.clone()], key).unwrap()
}

/// Shakes hands over a pipe and sends a byte each way; fails if either side does.
async fn connect(source: &TlsSource, client: ClientConfig) -> std::io::Result<Seen> {
    let (near, far) = duplex(64 * 1024);
    let acceptor = source.acceptor();
    let serve = async move {
        let mut stream = acceptor.accept(far).await?;
        let byte = stream.read_u8().await?;
        stream.write_u8(byte).await?;
        stream.flush().await
    };
    let ask = async move {
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, near).await?;
        stream.write_u8(7).await?;
        stream.flush().await?;
        assert_eq!(stream.read_u8().await?, 7);
        let session = stream.get_ref().1;
        Ok(Seen {
            certificate: session.peer_certificates().unwrap()[0].clone(),
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
            version: session.protocol_version().unwrap(),
        })
    };
    tokio::try_join!(serve, ask).map(|((), seen)| seen)
}

async fn served_certificate(source: &TlsSource, authority: &Authority) -> CertificateDer<'static> {
    connect(source, client(authority).with_no_client_auth()).await.unwrap().certificate
}
