//! The port of what is kept for a while: sessions, and logins that are under way.

use std::{fmt, fmt::Debug, time::Duration};

use zot_contract::BoxError;

/// Keeps values under keys for a while.
///
/// # Contract
/// - A value is found from when it was created until its life is over or it was removed, and no longer.
/// - Found, absent and failed are three answers: who cannot tell says so.
/// - Of several who remove a value at once, exactly one is told what it was.
/// - A store may lose values before their time, all or some of them; it never makes any up, and never mixes two.
#[async_trait::async_trait]
pub trait SessionStore: Debug + Send + Sync {
    /// Keeps `value` under `key`, which is a fresh one, for as long as `life`.
    async fn create(&self, key: &StoreKey, value: &[u8], life: Duration) -> Result<(), StoreError>;

    /// The value under `key`, if there is one.
    async fn find(&self, key: &StoreKey) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes what is under `key`, and returns it.
    async fn remove(&self, key: &StoreKey) -> Result<Option<Vec<u8>>, StoreError>;
}

/// What a value is kept under: made from a secret by a one-way function, so that whoever can read a store learns no secrets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreKey([u8; 32]);

/// A store that cannot do what it is asked for now. That says nothing about what it keeps.
#[derive(Debug, thiserror::Error)]
#[error("{act}")]
pub struct StoreError {
    act: &'static str,
    #[source]
    source: BoxError,
}

impl StoreKey {
    pub(super) fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// As 64 hexadecimal digits.
impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Nothing of it is shown: it is long, and nobody needs it.
impl Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey")
    }
}

impl StoreError {
    /// That `act` failed because of `source`.
    pub fn new(act: &'static str, source: impl Into<BoxError>) -> Self {
        Self { act, source: source.into() }
    }
}
