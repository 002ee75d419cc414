//! A certificate authority of the test's own, and registries that serve with its certificates.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use zot_tests::{Client, Cluster, Sandbox, client::Trust, shapes::Shape};

use crate::passwords::HTPASSWD;

/// Where registries are in a network of a test's own: an address for documentation (RFC 5737).
pub(crate) const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Whom a registry lets in.
#[derive(Clone, Copy)]
enum Known<'a> {
    Everybody,
    Alice,
    Certified(&'a Identity),
}

/// Issues certificates and writes them to files.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key in files, as PEM.
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pem: (String, String),
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key")).expect("an authority");
        Self { issuer }
    }

    /// Its certificate as PEM.
    fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes its certificate to `file`.
    pub(crate) fn write(&self, file: &Path) -> PathBuf {
        std::fs::write(file, self.pem()).expect("the authority's file");
        file.to_owned()
    }

    /// Issues a certificate for this machine, or for a client on it, and writes it to `directory`.
    pub(crate) fn issue(&self, directory: &Path, name: &str) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), ELSEWHERE.to_string()];
        let mut parameters = CertificateParams::new(names).expect("parameters");
        // Without a name of its own it would have its issuer's, and OpenSSL takes what was issued by itself for self-signed.
        parameters.distinguished_name.push(DnType::CommonName, name);
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let pem = (certificate.pem(), key.serialize_pem());
        let identity = Identity { certificate: directory.join(format!("{name}.cert")), key: directory.join(format!("{name}.key")), pem };
        std::fs::write(&identity.certificate, &identity.pem.0).expect("the certificate's file");
        std::fs::write(&identity.key, &identity.pem.1).expect("the key's file");
        identity
    }

    /// A registry that serves over TLS with a certificate of this authority.
    pub(crate) async fn registry(&self, shape: Shape) -> Served {
        self.start(shape, Known::Everybody).await
    }

    /// A registry that lets alice in by [`PASSWORD`](crate::passwords::PASSWORD).
    pub(crate) async fn registry_of_alice(&self, shape: Shape) -> Served {
        self.start(shape, Known::Alice).await
    }

    /// A registry that knows its clients by a certificate of this authority, like `client`, and asks everybody for one.
    pub(crate) async fn registry_for(&self, shape: Shape, client: &Identity) -> Served {
        self.start(shape, Known::Certified(client)).await
    }

    async fn start(&self, shape: Shape, known: Known<'_>) -> Served {
        let identity = if let Known::Certified(client) = known { Some(client.pem.clone()) } else { None };
        let trust = Trust { authority: self.pem(), identity, http2: false };
        match shape {
            Shape::AllInOne => {
                let builder = Sandbox::builder().https(trust.clone());
                let settings = self.settings(&builder.directory(), known);
                let sandbox = settings.into_iter().fold(builder, |builder, (key, value)| builder.set(key, value)).start().await;
                Served { address: sandbox.address(), trust, _process: (Some(sandbox), None) }
            }
            Shape::Cluster => {
                let builder = Cluster::builder().https(trust.clone());
                let settings = self.settings(&builder.directory(), known);
                let cluster = settings.into_iter().fold(builder, |builder, (key, value)| builder.set(key, value)).start().await;
                Served { address: cluster.gateways()[0].address(), trust, _process: (None, Some(cluster)) }
            }
        }
    }

    /// What a registry is told; the files are written to `directory`.
    fn settings(&self, directory: &Path, known: Known<'_>) -> Vec<(&'static str, Value)> {
        let server = self.issue(directory, "server");
        let path = |path: &Path| Value::from(path.to_str().expect("a readable path"));
        let mut settings = vec![
            ("/http/compat", json!(["docker2s2"])),
            ("/http/tls/cert", path(&server.certificate)),
            ("/http/tls/key", path(&server.key)),
        ];
        match known {
            Known::Everybody => {}
            Known::Alice => {
                let file = directory.join("htpasswd");
                std::fs::write(&file, HTPASSWD).expect("the file");
                settings.push(("/http/auth/htpasswd/path", path(&file)));
            }
            Known::Certified(_) => settings.push(("/http/tls/cacert", path(&self.write(&directory.join("authority.cert"))))),
        }
        settings
    }
}

/// A registry as its clients reach it: the one process, or one gateway of a cluster.
pub(crate) struct Served {
    address: SocketAddr,
    trust: Trust,
    _process: (Option<Sandbox>, Option<Cluster>),
}

impl Served {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A client with the certificate that its clients have.
    pub(crate) fn client(&self) -> Client {
        Client::https(&self.url(), &self.trust)
    }
}
