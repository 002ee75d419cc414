//! What is served, to whom, and what is refused at load.

use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::*;
use crate::telemetry::chain;
use crate::tls::{PEM_BYTES_MAX, connect_to_itself, install_provider};

#[tokio::test]
async fn both_versions_are_served_and_http2_is_preferred() {
    let (server, certificate) = ServerFiles::new();
    let source = server.load();
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut client = client_of(&server.authority, &[version]).with_no_client_auth();
        client.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
        let seen = connect(&source, client).await.unwrap();
        assert_eq!(seen.version, expected);
        assert_eq!(seen.alpn.as_deref(), Some(b"h2".as_slice()));
        assert_eq!(seen.certificate, certificate);
    }
    let mut client = client(&server.authority).with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    assert_eq!(connect(&source, client).await.unwrap().alpn.as_deref(), Some(b"http/1.1".as_slice()));
}

#[tokio::test]
async fn a_client_must_show_a_certificate_that_chains_to_the_authority() {
    let (server, _) = ServerFiles::new();
    let (clients, strangers) = (Authority::new(), Authority::new());
    server.write("ca.pem", &clients.0.pem());
    let source = TlsSource::load(TlsFiles { client_ca: Some(server.path("ca.pem")), ..server.files() }).unwrap();

    let known = with_identity(&server.authority, &clients.issue());
    connect(&source, known).await.unwrap();
    assert!(connect(&source, client(&server.authority).with_no_client_auth()).await.is_err());
    let unknown = with_identity(&server.authority, &strangers.issue());
    assert!(connect(&source, unknown).await.is_err());
}

#[tokio::test]
async fn where_a_certificate_is_optional_only_a_wrong_one_is_refused() {
    let (server, _) = ServerFiles::new();
    let (clients, strangers) = (Authority::new(), Authority::new());
    server.write("ca.pem", &clients.0.pem());
    let files = TlsFiles { client_ca: Some(server.path("ca.pem")), client_optional: true, ..server.files() };
    let source = TlsSource::load(files).unwrap();
    connect(&source, with_identity(&server.authority, &clients.issue())).await.unwrap();
    connect(&source, client(&server.authority).with_no_client_auth()).await.unwrap();
    assert!(connect(&source, with_identity(&server.authority, &strangers.issue())).await.is_err());
}

#[tokio::test]
async fn a_server_is_asked_by_its_own_files_and_only_by_them() {
    let (server, _) = ServerFiles::new();
    let (other, _) = ServerFiles::new();
    let source = server.load();
    let ask = async |files: &TlsFiles| {
        let (near, far) = duplex(64 * 1024);
        let (accepted, connected) = tokio::join!(source.acceptor().accept(far), connect_to_itself(files, near));
        accepted.is_ok() && connected.is_ok()
    };
    assert!(ask(&server.files()).await);
    assert!(!ask(&other.files()).await, "the certificate is not the one that is expected");
    assert!(!ask(&TlsFiles { cert: server.path("missing"), ..server.files() }).await);
}

fn load_error(files: TlsFiles) -> String {
    chain(&TlsSource::load(files).unwrap_err()).to_string()
}

#[test]
fn a_key_of_another_certificate_is_refused_at_load() {
    let (server, _) = ServerFiles::new();
    server.write("key.pem", &KeyPair::generate().unwrap().serialize_pem());
    let error = TlsSource::load(server.files()).unwrap_err();
    assert!(matches!(error, TlsError::Pair { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("cert.pem") && text.contains("key.pem"), "{text}");
}

#[test]
fn each_unusable_file_is_named_with_the_reason() {
    let (server, _) = ServerFiles::new();
    let good = server.files();
    server.write("empty", "");
    server.write("torn", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    server.write("wrong", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    server.write("huge", &" ".repeat(usize::try_from(PEM_BYTES_MAX).unwrap() + 1));
    let cert = |name: &str| TlsFiles { cert: server.path(name), ..good.clone() };
    let key = |name: &str| TlsFiles { key: server.path(name), ..good.clone() };
    let ca = |name: &str| TlsFiles { client_ca: Some(server.path(name)), ..good.clone() };
    for (files, name, reason) in [
        (cert("absent"), "absent", "No such file"),
        (cert("empty"), "empty", "find a certificate"),
        (cert("torn"), "torn", "parse"),
        (cert("wrong"), "wrong", "use certificate"),
        (cert("huge"), "huge", "more than 1048576 bytes"),
        (key("absent"), "absent", "No such file"),
        (key("cert.pem"), "cert.pem", "find a private key"),
        (ca("absent"), "absent", "No such file"),
        (ca("key.pem"), "key.pem", "find a certificate"),
        (ca("wrong"), "wrong", "use client authorities"),
    ] {
        let text = load_error(files);
        assert!(text.contains(name) && text.contains(reason), "{text}");
    }
}

#[test]
fn the_provider_can_be_installed_again() {
    install_provider();
    install_provider();
    assert!(rustls::crypto::CryptoProvider::get_default().is_some());
}
