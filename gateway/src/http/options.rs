//! What a gateway accepts and how long it waits, every bound with its unit in its name.

use std::time::Duration;

use zot_config::http::Network;
use zot_contract::PAGE_ENTRIES_MAX;

use super::cors::Origins;

/// What a gateway accepts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether manifests of docker's schema 2 types may be pushed (`http.compat: ["docker2s2"]`).
    pub docker_schema_2: bool,
    /// The origins whose pages may read lists and manifests.
    pub allow_origin: Origins,
    /// The largest manifest, in bytes.
    pub manifest_bytes_max: u64,
    /// The most entries of one page of tags or repositories.
    pub page_entries_max: usize,
    /// The longest wait for the next bytes of a request's body.
    pub body_progress: Duration,
    /// Proxies that are believed when they say whom they forward for (`http.trustedProxies`).
    pub trusted_proxies: Vec<Network>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            docker_schema_2: false,
            allow_origin: Origins::Any,
            manifest_bytes_max: 4 * 1024 * 1024,
            page_entries_max: PAGE_ENTRIES_MAX,
            body_progress: Duration::from_secs(60),
            trusted_proxies: Vec::new(),
        }
    }
}
