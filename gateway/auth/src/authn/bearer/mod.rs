//! Tokens that another party has issued: what they claim, and who vouches for it.

mod assembly;
mod aws_secret;
mod claims;
mod endpoint;
mod granted;
mod jwt;
mod key;
mod key_file;
mod oidc;
mod registry_tokens;
mod vouched;

use zot_config::{Config, KeyPath, Problem};
use zot_runtime::telemetry::chain;

pub(crate) use self::assembly::BearerTokens;
pub use self::{
    assembly::BearerError,
    aws_secret::AwsSecretError,
    endpoint::{Exchange, FormOrOther, InvalidUpstream, TokenEndpoint, Upstream, UpstreamError},
    key::InvalidKey,
    key_file::KeyFileError,
    oidc::{Identified, IdentityTokens, InvalidExpression, ProviderError, Unidentified},
    registry_tokens::{KeysError, RegistryTokens},
};

/// The most bytes of a token that are looked at. Tokens of workloads with hundreds of groups have some 10 KiB.
const TOKEN_BYTES_MAX: usize = 32 * 1024;
/// How far the clocks of those who issue tokens may be from ours, in seconds.
const CLOCK_SKEW_SECONDS_MAX: f64 = 5.0;
/// The most keys of one set: none that is in use has so many.
const KEYS_MAX: usize = 100;
/// The most bytes of a file or document of keys.
const KEYS_BYTES_MAX: usize = 1024 * 1024;

/// What is wrong with the keys and expressions of a configuration.
pub(crate) fn check(config: &Config) -> Vec<Problem> {
    let Some(bearer) = &config.http.auth.bearer else { return Vec::new() };
    let path = KeyPath::of("http.auth.bearer");
    // Whether files can be read at all is looked at elsewhere.
    let keys = match bearer.cert.as_ref().map(|cert| key_file::read(cert)) {
        Some(Err(error @ KeyFileError::Keys { .. })) => Some(Problem { path: path.key("cert"), message: chain(&error).to_string() }),
        _ => None,
    };
    keys.into_iter().chain(oidc::check(bearer, &path)).collect()
}

#[cfg(test)]
mod tests;
