//! Credentials that were found good are good for a short while: hashing and directories do not rule how fast the registry is.

use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use sha2::Sha256;
use tokio::{sync::OnceCell, time::Instant};
use zot_config::Secret;

use super::{
    PasswordSource, Proof, Verdict,
    entries::{Entries, Key},
};

/// How many credentials are kept at most; a proof is some hundred bytes, more with many groups.
const ENTRIES_MAX: usize = 10_000;

/// Asks another source, and remembers its good verdicts.
///
/// Only good ones: a password that becomes right is right at once. Everything is forgotten when the source knows something new. Of those who
/// show the same credentials at the same time, one asks the source for all.
#[derive(Debug)]
pub struct Verified {
    source: Box<dyn PasswordSource>,
    life: Duration,
    key: [u8; 64],
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What is remembered, of the version of the source that follows.
    entries: Entries<Proof>,
    version: u64,
    /// Those who ask the source at the moment, by the version that they saw.
    flights: HashMap<(u64, Key), Arc<Flight>>,
}

/// What becomes of one question to the source.
type Flight = OnceCell<Outcome>;

/// A verdict that many can be told.
#[derive(Debug, Clone)]
enum Outcome {
    Proved(Proof),
    Wrong,
    Unavailable { what: &'static str, source: Arc<dyn Error + Send + Sync> },
}

impl Verified {
    /// Remembers for `life` what `source` found good.
    pub fn new(source: Box<dyn PasswordSource>, life: Duration) -> Self {
        Self { source, life, key: rand::random(), state: Mutex::default() }
    }

    /// A name and a password together, so that only this process can tell which: in its memory there is no password, nor a hash that could be
    /// guessed from elsewhere.
    fn key(&self, user: &str, password: &Secret) -> Key {
        // The length comes first, or the end of the name could be taken for the beginning of the password.
        let parts = [&user.len().to_be_bytes()[..], user.as_bytes(), password.reveal().as_bytes()];
        let mac = parts.iter().fold(Hmac::<Sha256>::new(&self.key.into()), |mac, part| mac.chain_update(part));
        mac.finalize().into_bytes().into()
    }

    /// Asks the source, for all who join the flight.
    async fn ask(&self, version: u64, key: Key, user: &str, password: &Secret) -> Outcome {
        match self.source.check(user, password).await {
            Verdict::Proved(proof) => {
                let mut state = self.state.lock();
                state.heed(version);
                if state.version == version {
                    state.entries.insert(key, proof.clone(), self.life, ENTRIES_MAX);
                }
                Outcome::Proved(proof)
            }
            Verdict::Wrong => Outcome::Wrong,
            Verdict::Unavailable { what, source } => Outcome::Unavailable { what, source: source.into() },
        }
    }
}

impl State {
    /// Forgets everything if the source knows something new.
    fn heed(&mut self, version: u64) {
        if version > self.version {
            self.version = version;
            self.entries = Entries::default();
        }
    }
}

#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods)]
impl PasswordSource for Verified {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        // Before the source is asked: what it learns meanwhile makes its verdict one of an older version.
        let version = self.source.version();
        let key = self.key(user, password);
        let flight = {
            let mut state = self.state.lock();
            state.heed(version);
            if let Some(proof) = state.entries.get(&key, Instant::now()) {
                return Verdict::Proved(proof.clone());
            }
            let flight = state.flights.entry((version, key)).or_default();
            Aboard { state: &self.state, flight: (version, key), cell: Some(Arc::clone(flight)) }
        };
        let Some(cell) = &flight.cell else { return Verdict::Wrong };
        cell.get_or_init(|| self.ask(version, key, user, password)).await.clone().into()
    }

    fn version(&self) -> u64 {
        self.source.version()
    }
}

/// Whoever waits for a flight; the last one to leave takes it away, also when nobody waits for its end.
struct Aboard<'a> {
    state: &'a Mutex<State>,
    flight: (u64, Key),
    cell: Option<Arc<Flight>>,
}

impl Drop for Aboard<'_> {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        self.cell = None;
        if state.flights.get(&self.flight).is_some_and(|flight| Arc::strong_count(flight) == 1) {
            state.flights.remove(&self.flight);
        }
    }
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Proved(proof) => Self::Proved(proof),
            Outcome::Wrong => Self::Wrong,
            Outcome::Unavailable { what, source } => Self::Unavailable { what, source: Box::new(source) },
        }
    }
}

#[cfg(test)]
mod tests;
