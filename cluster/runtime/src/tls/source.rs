//! The TLS configuration in force, exchanged as a whole when its files change.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::{TlsError, TlsFiles, load};
use crate::fingerprint::Fingerprint;
use crate::telemetry::chain;

/// How often the files are looked at. Polled rather than subscribed to: that works on every file system, and nothing
/// can be missed when a folder or a link is replaced.
pub const RELOAD_POLL: Duration = Duration::from_secs(1);

/// Hands out acceptors and connectors for new connections; connections made before a reload keep what they began with.
#[derive(Debug)]
pub struct TlsSource {
    pub(super) files: TlsFiles,
    current: ArcSwap<Ends>,
    /// Of the files last tried, usable or not.
    pub(super) tried: Mutex<Fingerprint>,
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
        // Taken before reading: a file that changes meanwhile differs from it at the next look.
        let tried = Mutex::new(Fingerprint::of(files.paths()));
        let current = ArcSwap::from_pointee(Ends::load(&files)?);
        Ok(Self { files, current, tried })
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
        *self.tried.lock() = Fingerprint::of(self.files.paths());
        self.current.store(Arc::new(Ends::load(&self.files)?));
        Ok(())
    }

    /// Reloads whenever the files have changed and then stayed the same for one `poll`, until cancelled.
    ///
    /// That pause is what lets certificate and key be replaced one after the other. A pair that is still unusable is
    /// logged once, and what is in force stays.
    pub async fn watch(self: Arc<Self>, poll: Duration, stop: CancellationToken) {
        let mut seen = self.tried.lock().clone();
        while stop.run_until_cancelled(tokio::time::sleep(poll)).await.is_some() {
            let source = Arc::clone(&self);
            let before = seen.clone();
            let looked = tokio::task::spawn_blocking(move || source.look(&before));
            match looked.await {
                Ok(now) => seen = now,
                Err(error) => tracing::error!(%error, "could not look at the tls files"),
            }
        }
    }

    /// Looks at the files once and reloads them if they changed since they were tried, but not since `seen`.
    pub(super) fn look(&self, seen: &Fingerprint) -> Fingerprint {
        let now = Fingerprint::of(self.files.paths());
        if now == *seen && now != *self.tried.lock() {
            self.reload_logged();
        }
        now
    }

    fn reload_logged(&self) {
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
