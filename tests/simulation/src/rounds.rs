//! Which seeds a test runs, by the variables that the tests of faults go by too.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::random::Random;

/// Multiplies the number of seeds: `ZOT_FAULTS_FACTOR=50` for a long run.
const FACTOR: &str = "ZOT_FAULTS_FACTOR";
/// Runs this seed alone.
const SEED: &str = "ZOT_FAULTS_SEED";

/// The seeds of a test.
pub(crate) struct Rounds {
    count: u64,
    only: Option<u64>,
}

impl Rounds {
    pub(crate) fn of(count: u64) -> Self {
        Self { count: count * variable(FACTOR).unwrap_or(1), only: variable(SEED) }
    }

    /// The seed that is asked for, or others in each run.
    pub(crate) fn seeds(&self) -> Vec<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let fresh = Random::new(since.as_nanos() as u64);
        self.only.map_or_else(|| (0..self.count).map(|_| fresh.next() % 1_000_000_000).collect(), |seed| vec![seed])
    }
}

/// What runs a seed again.
pub(crate) fn command(seed: u64) -> String {
    format!("{SEED}={seed} cargo test -p zot-simulation what_is_promised")
}

fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, is {value}")))
}
