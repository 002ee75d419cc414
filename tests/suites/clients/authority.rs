//! A certificate authority of the test's own, and registries that serve with its certificates.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use zot_tests::{Sandbox, client::Trust};

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
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).expect("parameters").signed_by(&key, &self.issuer).expect("a certificate");
        let pem = (certificate.pem(), key.serialize_pem());
        let identity = Identity { certificate: directory.join(format!("{name}.cert")), key: directory.join(format!("{name}.key")), pem };
        std::fs::write(&identity.certificate, &identity.pem.0).expect("the certificate's file");
        std::fs::write(&identity.key, &identity.pem.1).expect("the key's file");
        identity
    }

    /// A registry that serves over TLS with a certificate of this authority.
    pub(crate) async fn registry(&self) -> Sandbox {
        self.start(None).await
    }

    /// A registry that also asks clients for a certificate of this authority, like `client`.
    pub(crate) async fn registry_for(&self, client: &Identity) -> Sandbox {
        self.start(Some(client)).await
    }

    async fn start(&self, client: Option<&Identity>) -> Sandbox {
        let builder = Sandbox::builder().set("/http/compat", json!(["docker2s2"]));
        let directory = builder.directory();
        let server = self.issue(&directory, "server");
        let path = |path: &Path| path.to_str().expect("a readable path").to_owned();
        let builder = builder.set("/http/tls/cert", path(&server.certificate)).set("/http/tls/key", path(&server.key));
        let builder = match client {
            Some(_) => builder.set("/http/tls/cacert", path(&self.write(&directory.join("authority.cert")))),
            None => builder,
        };
        let identity = client.map(|client| client.pem.clone());
        builder.https(Trust { authority: self.pem(), identity, http2: false }).start().await
    }
}
