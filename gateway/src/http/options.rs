//! What a gateway accepts and how long it waits, every bound with its unit in its name.

use std::time::Duration;

use axum::http::HeaderValue;
use zot_contract::PAGE_ENTRIES_MAX;

/// What a gateway accepts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether manifests of docker's schema 2 types may be pushed (`http.compat: ["docker2s2"]`).
    pub docker_schema_2: bool,
    /// The origin whose pages may read lists and manifests, `*` for any (`http.allowOrigin`).
    pub allow_origin: HeaderValue,
    /// The largest manifest, in bytes.
    pub manifest_bytes_max: u64,
    /// The most entries of one page of tags or repositories.
    pub page_entries_max: usize,
    /// The longest wait for the next bytes of a request's body.
    pub body_progress: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            docker_schema_2: false,
            allow_origin: HeaderValue::from_static("*"),
            manifest_bytes_max: 4 * 1024 * 1024,
            page_entries_max: PAGE_ENTRIES_MAX,
            body_progress: Duration::from_secs(60),
        }
    }
}
