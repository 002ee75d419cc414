//! Tokens that another party has issued: what they claim, and who vouches for it.

mod challenge;
mod claims;
mod granted;
mod jwt;
mod key;
mod key_file;
mod registry_tokens;

pub use self::{
    challenge::{Asked, BearerChallenge, TokenError, TokenScope},
    key::InvalidKey,
    key_file::KeyFileError,
    registry_tokens::RegistryTokens,
};

/// The most bytes of a token that are looked at. Tokens of workloads with hundreds of groups have some 10 KiB.
const TOKEN_BYTES_MAX: usize = 32 * 1024;
/// How far the clocks of those who issue tokens may be from ours, in seconds.
const CLOCK_SKEW_SECONDS_MAX: f64 = 5.0;
/// The most keys of one set: none that is in use has so many.
const KEYS_MAX: usize = 100;
/// The most bytes of a file or document of keys.
const KEYS_BYTES_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
