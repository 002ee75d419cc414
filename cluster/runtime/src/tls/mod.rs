//! TLS for servers, and for peers that are both ends: certificate and key from PEM files, optional client certificates, and reload when a file
//! changes.

mod itself;
mod load;
mod source;

use std::path::{Path, PathBuf};

pub use itself::connect_to_itself;
pub use source::TlsSource;

/// Largest PEM file read, in bytes: a bundle of every public authority is a fifth of it.
pub const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// The files a server's TLS is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
    /// Authorities for client certificates: what a client shows must chain to one.
    pub client_ca: Option<PathBuf>,
    /// Whether a client may show no certificate at all.
    pub client_optional: bool,
}

impl TlsFiles {
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.cert, &self.key].into_iter().chain(&self.client_ca).map(PathBuf::as_path)
    }
}

/// Why the files make no usable TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than [`PEM_BYTES_MAX`].
    #[error("read `{}`: more than {PEM_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not PEM.
    #[error("parse `{}` as PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// A file holds PEM, but not what is looked for.
    #[error("find a {wanted} in `{}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// `certificate` or `private key`.
        wanted: &'static str,
    },
    /// Certificate and key are not usable together: they do not match, or one of them is malformed.
    #[error("use certificate `{}` with key `{}`", cert.display(), key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        #[source]
        source: rustls::Error,
    },
    /// A client authority is not usable.
    #[error("use client authorities `{}`", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The cryptography provider has none of the protocol versions.
    #[error("set TLS 1.2 and 1.3")]
    Versions(#[source] rustls::Error),
}

/// Makes aws-lc-rs the process's cryptography provider, for libraries that do not take one; again and again if need be.
pub fn install_provider() {
    // An error means that one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[cfg(test)]
mod tests;
