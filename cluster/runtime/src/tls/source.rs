//! The TLS configuration in force, exchanged as a whole when its files change.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::{TlsError, TlsFiles, load};
use crate::file_watch::FileWatch;
use crate::telemetry::chain;

/// Hands out acceptors and connectors for new connections; connections made before a reload keep what they began with.
#[derive(Debug)]
pub struct TlsSource {
    files: TlsFiles,
    current: ArcSwap<Ends>,
    pub(super) changes: Arc<FileWatch>,
}

/// What one state of the files makes of either end.
#[derive(Debug)]
struct Ends {
    server: Arc<ServerConfig>,
    /// Only where there is an authority to check servers against.
    client: Option<Arc<ClientConfig>>,
}

impl Ends {
    fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let client = files.client_ca.as_deref().map(|authority| load::client_config(files, authority)).transpose()?;
        Ok(Self { server: Arc::new(load::server_config(files)?), client: client.map(Arc::new) })
    }
}

impl TlsSource {
    /// Loads the files.
    ///
    /// # Errors
    /// A file is unreadable or malformed, or key and certificate do not match.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let changes = Arc::new(FileWatch::new(files.paths().map(Path::to_owned).collect()));
        let current = ArcSwap::from_pointee(Ends::load(&files)?);
        Ok(Self { files, current, changes })
    }

    /// Returns the configuration in force.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().server)
    }

    /// Returns an acceptor for the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.server_config())
    }

    /// Returns a connector for the next connection to a peer that has files of the same authority: it shows the same certificate as the
    /// acceptor. There is none without an authority.
    pub fn connector(&self) -> Option<TlsConnector> {
        self.current.load().client.clone().map(TlsConnector::from)
    }

    /// Reads the files now, changed or not.
    ///
    /// # Errors
    /// As for [`TlsSource::load`]; the configuration in force stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.changes.trying();
        self.current.store(Arc::new(Ends::load(&self.files)?));
        Ok(())
    }

    /// Reloads whenever the files have changed, until cancelled. A pair that is unusable is logged once, and what is in force stays.
    pub async fn watch(self: Arc<Self>, poll: Duration, stop: CancellationToken) {
        let changes = Arc::clone(&self.changes);
        changes.watch(poll, stop, move || self.reload_logged()).await;
    }

    pub(super) fn reload_logged(&self) {
        let cert = self.files.cert.display();
        match self.reload() {
            Ok(()) => tracing::info!(%cert, "reloaded the tls certificate"),
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(%cert, %error, "could not reload the tls certificate, the one in use stays");
            }
        }
    }
}
