//! Requests that the registry itself makes, to parties that the configuration names: bounded in time and size, and never sent on elsewhere.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::{Certificate, Client, Request, redirect::Policy};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a whole request may take: somebody waits for its outcome.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer, in bytes: keys, tokens and descriptions of users are small.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// What the registry calls itself; some parties refuse requests without.
const USER_AGENT: &str = concat!("zot/", env!("CARGO_PKG_VERSION"));

/// Why a request of the registry's own came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The authorities that are to be trusted are no certificates.
    #[error("read the certificates of authorities")]
    Authorities(#[source] reqwest::Error),
    /// The client cannot be made.
    #[error("make a client")]
    Client(#[source] reqwest::Error),
    /// The request makes no sense.
    #[error("make a request")]
    Request(#[source] reqwest::Error),
    /// There was no answer, or it broke off.
    #[error("ask {host}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The answer was larger than any should be.
    #[error("ask {host}: the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge {
        /// Who was asked.
        host: String,
    },
}

/// Asks other parties over HTTP; clones share connections.
#[derive(Debug, Clone)]
pub struct Egress(Client);

impl Egress {
    /// Asks parties whose certificates chain to an authority that the system trusts.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new() -> Result<Self, EgressError> {
        Self::trusting(None)
    }

    /// Asks parties whose certificates chain to one of the `authorities` (PEM), if there are any, and to nobody else's.
    ///
    /// # Errors
    /// They are no certificates, or the client cannot be made.
    pub fn trusting(authorities: Option<&[u8]>) -> Result<Self, EgressError> {
        // An error means that the process has a cryptography provider already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(REQUEST_TIMEOUT).redirect(Policy::none());
        let mut client = client.no_proxy().user_agent(USER_AGENT).tls_backend_rustls();
        if let Some(pem) = authorities {
            client = client.tls_certs_only(Certificate::from_pem_bundle(pem).map_err(EgressError::Authorities)?);
        }
        client.build().map(Self).map_err(EgressError::Client)
    }

    /// Sends a request and reads the whole answer, whatever its status is.
    ///
    /// # Errors
    /// There is none in time, or it is too large.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, EgressError> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        // The URL may hold what nobody else should know.
        let unreachable = |source: reqwest::Error| EgressError::Unreachable { host: host.clone(), source: source.without_url() };
        let request = Request::try_from(request).map_err(|error| EgressError::Request(error.without_url()))?;
        let mut answer = self.0.execute(request).await.map_err(unreachable)?;
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(EgressError::TooLarge { host });
            }
            body.extend_from_slice(&piece);
        }
        let mut response = http::Response::new(body.to_vec());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}
