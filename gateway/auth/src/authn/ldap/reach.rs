//! How a directory is reached: in the clear, over TLS from the first byte, or over a plain connection that is turned into TLS.

use std::{fs::File, io, io::Read as _, path::Path, path::PathBuf, sync::Arc, time::Duration};

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject as _},
    },
};
use zot_config::http::auth::Ldap as Settings;
use zot_runtime::{tasks::Tasks, tls};

/// How long connecting may take, with TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one operation may take.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection that is in use may go on when everything ends.
const END_TIMEOUT: Duration = Duration::from_millis(500);

/// Makes connections.
#[derive(Clone)]
pub(super) struct Reach {
    url: String,
    tls: Tls,
    tasks: Tasks,
}

#[derive(Clone)]
enum Tls {
    None,
    /// From the first byte, or after a plain beginning.
    Whole(Option<Arc<ClientConfig>>),
    Started(Option<Arc<ClientConfig>>),
    /// The same without looking at the certificate.
    Unverified {
        started: bool,
    },
}

/// The authorities that are to vouch for a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The file cannot be read.
    #[error("read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not PEM.
    #[error("parse `{}` as PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// The file holds no authority that can be used.
    #[error("find a certificate of an authority in `{}`", path.display())]
    None {
        /// The file.
        path: PathBuf,
    },
    /// There are no protocol versions to speak.
    #[error("set TLS 1.2 and 1.3")]
    Versions(#[source] rustls::Error),
}

impl Reach {
    pub(super) fn new(settings: &Settings, tasks: &Tasks) -> Result<Self, AuthorityError> {
        // What is not configured here, the library makes with the process's provider.
        tls::install_provider();
        let host = match settings.address.parse::<std::net::Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => settings.address.clone(),
        };
        let tls = Tls::new(settings)?;
        let scheme = if matches!(tls, Tls::Whole(_) | Tls::Unverified { started: false }) { "ldaps" } else { "ldap" };
        Ok(Self { url: format!("{scheme}://{host}:{}", settings.port), tls, tasks: tasks.clone() })
    }

    /// Makes a connection, which nobody is bound to yet.
    pub(super) async fn connect(&self) -> Result<Ldap, LdapError> {
        let settings = self.tls.apply(LdapConnSettings::new().set_conn_timeout(CONNECT_TIMEOUT));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.url).await?;
        let stop = self.tasks.stop();
        self.tasks.spawn("ldap-connection", async move {
            let ended = async {
                stop.cancelled().await;
                tokio::time::sleep(END_TIMEOUT).await;
            };
            tokio::select! {
                driven = connection.drive() => if let Err(error) = driven {
                    // Whoever waits for an answer is told, and says so.
                    tracing::debug!(%error, "a connection to the ldap directory ended");
                },
                () = ended => {}
            }
        });
        ldap.with_timeout(OPERATION_TIMEOUT);
        Ok(ldap)
    }
}

impl Tls {
    /// `startTLS` counts whether or not `insecure` is set: no combination of them is less safe than it says.
    fn new(settings: &Settings) -> Result<Self, AuthorityError> {
        let started = settings.start_tls;
        if settings.insecure && !started {
            return Ok(Self::None);
        }
        if settings.skip_verify {
            return Ok(Self::Unverified { started });
        }
        let config = settings.ca_cert.as_deref().map(trusting).transpose()?.map(Arc::new);
        Ok(if started { Self::Started(config) } else { Self::Whole(config) })
    }

    fn apply(&self, settings: LdapConnSettings) -> LdapConnSettings {
        let settings = settings.set_starttls(matches!(self, Self::Started(_) | Self::Unverified { started: true }));
        match self {
            Self::Whole(Some(config)) | Self::Started(Some(config)) => settings.set_config(Arc::clone(config)),
            Self::Unverified { .. } => settings.set_no_tls_verify(true),
            // The system's authorities.
            Self::None | Self::Whole(None) | Self::Started(None) => settings,
        }
    }
}

/// TLS to servers whose certificates chain to an authority of a file, and to no others.
fn trusting(path: &Path) -> Result<ClientConfig, AuthorityError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(AuthorityError::Versions)?;
    Ok(config.with_root_certificates(authorities(path)?).with_no_client_auth())
}

fn authorities(path: &Path) -> Result<RootCertStore, AuthorityError> {
    let mut pem = Vec::new();
    let file = File::open(path).and_then(|file| file.take(tls::PEM_BYTES_MAX).read_to_end(&mut pem));
    file.map_err(|source| AuthorityError::Read { path: path.to_owned(), source })?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.map_err(|source| AuthorityError::Pem { path: path.to_owned(), source })?);
    if roots.is_empty() { Err(AuthorityError::None { path: path.to_owned() }) } else { Ok(roots) }
}

impl std::fmt::Debug for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reach").field("url", &self.url).finish_non_exhaustive()
    }
}
