//! How a process is asked over TLS by another one on its own host, which has the same files.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{TlsError, TlsFiles, load};

/// Speaks TLS over `stream` to the server of these files and to no other: exactly its certificate is accepted, whatever host it names and
/// however old it is. Where clients must show a certificate, the same one is shown.
///
/// # Errors
/// The files are unusable, or the other end is not that server or refuses.
pub async fn connect_to_itself<S: AsyncRead + AsyncWrite + Unpin>(files: &TlsFiles, stream: S) -> io::Result<TlsStream<S>> {
    let connector = TlsConnector::from(Arc::new(config(files).map_err(io::Error::other)?));
    connector.connect(ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST)), stream).await
}

fn config(files: &TlsFiles) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Itself { certificate: own_certificate(&files.cert)?, provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    if files.client_ca.is_none() {
        return Ok(builder.with_no_client_auth());
    }
    builder.with_client_auth_cert(load::certificates(&files.cert)?, load::private_key(&files.key)?).map_err(|source| TlsError::Pair {
        cert: files.cert.clone(),
        key: files.key.clone(),
        source,
    })
}

fn own_certificate(path: &Path) -> Result<CertificateDer<'static>, TlsError> {
    let first = load::certificates(path)?.into_iter().next();
    first.ok_or_else(|| TlsError::Missing { path: path.into(), wanted: "certificate" })
}

/// Accepts one certificate. That the server has its key is checked as always.
#[derive(Debug)]
struct Itself {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Itself {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *shown == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
