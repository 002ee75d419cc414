//! A certificate authority of a test's own, and a certificate for 127.0.0.1 from it.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// The authority's certificate.
pub(crate) const FILE: &str = "ca.pem";
/// A server's certificate and key.
pub(crate) const CERTIFICATE: &str = "server.pem";
pub(crate) const KEY: &str = "server.key";
/// Writes an authority, a certificate and its key into a directory.
pub(crate) fn issue(directory: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let server = server.signed_by(&key, &authority).expect("a certificate");
    for (name, pem) in [(FILE, authority.pem()), (CERTIFICATE, server.pem()), (KEY, key.serialize_pem())] {
        fs::write(directory.join(name), pem).expect("a file");
    }
}
