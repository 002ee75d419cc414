//! From the checked configuration to this crate's options: the one place here that knows its keys.

use std::time::Duration;

use axum::http::header::InvalidHeaderValue;
use zot_config::{Config, KeyPath, Problem, Timeout, http::Http};
use zot_runtime::telemetry::chain;

use crate::{
    http::{Options, Origins},
    server::ServerOptions,
};

/// As good as for ever: what a timeout that is switched off waits.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// `http.allowOrigin` cannot be sent in a header.
#[derive(Debug, thiserror::Error)]
#[error("use `{origin}` as http.allowOrigin")]
pub struct InvalidOrigin {
    /// What was configured.
    origin: String,
    /// Why it cannot be sent.
    #[source]
    source: InvalidHeaderValue,
}

impl Options {
    /// The options that a configuration asks for.
    pub fn configured(http: &Http) -> Result<Self, InvalidOrigin> {
        let allow_origin = Origins::parse(&http.allow_origin)
            .map_err(|source| InvalidOrigin { origin: http.allow_origin.escape_debug().to_string(), source })?;
        Ok(Self {
            docker_schema_2: http.accepts_docker_schema_2(),
            allow_origin,
            manifest_bytes_max: http.limits.manifest_bytes_max,
            page_entries_max: http.limits.page_entries_max,
            body_progress: limit(http.read_timeout),
            trusted_proxies: http.trusted_proxies.clone(),
        })
    }
}

impl ServerOptions {
    /// The options that a configuration asks for.
    pub fn configured(http: &Http) -> Self {
        Self {
            connections_max: http.limits.connections_max,
            header_read_timeout: http.limits.header_read_timeout,
            keep_alive_timeout: http.limits.keep_alive_timeout,
            write_progress: limit(http.write_timeout),
            drain_timeout: http.limits.drain_timeout,
        }
    }
}

/// What a configuration asks of a gateway that cannot be done.
pub fn check(config: &Config) -> Vec<Problem> {
    let origin = Options::configured(&config.http).err();
    let origin = origin.map(|invalid| Problem { path: KeyPath::of("http.allowOrigin"), message: chain(&invalid).to_string() });
    zot_auth::check(config).into_iter().chain(origin).collect()
}

fn limit(timeout: Timeout) -> Duration {
    timeout.limit().unwrap_or(FOREVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_configuration_asks_for_the_defaults() {
        let http = Http::default();
        let options = Options::configured(&http).unwrap();
        assert_eq!(format!("{options:?}"), format!("{:?}", Options::default()));
        let options = ServerOptions::configured(&http);
        assert_eq!(format!("{options:?}"), format!("{:?}", ServerOptions::default()));
    }

    #[test]
    fn what_is_configured_is_used() {
        let http = Http {
            allow_origin: "https://example.com".to_owned(),
            compat: vec!["docker2s2".to_owned()],
            read_timeout: Timeout::NEVER,
            ..Http::default()
        };
        let options = Options::configured(&http).unwrap();
        assert_eq!(options.allow_origin, Origins::parse("https://example.com").unwrap());
        assert_eq!((options.docker_schema_2, options.body_progress), (true, FOREVER));
    }

    #[test]
    fn what_a_cluster_is_configured_for_fits_its_messages() {
        assert_eq!(usize::try_from(zot_config::cluster::MANIFEST_BYTES_MAX), Ok(zot_proto::MANIFEST_BYTES_MAX));
    }

    #[test]
    fn an_origin_that_no_header_can_hold_is_named() {
        let http = Http { allow_origin: "a\nb".to_owned(), ..Http::default() };
        assert_eq!(Options::configured(&http).unwrap_err().to_string(), "use `a\\nb` as http.allowOrigin");
    }
}
