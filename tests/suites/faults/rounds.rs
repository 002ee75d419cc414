//! How many rounds a test goes, and from which seed.

use std::env;

use crate::random::{Random, fresh_seed};

/// Multiplies the rounds of every test: `ZOT_FAULTS_FACTOR=20` for a long run.
const FACTOR: &str = "ZOT_FAULTS_FACTOR";
/// Repeats a run with the seed that it printed.
const SEED: &str = "ZOT_FAULTS_SEED";

/// The rounds of one test.
#[derive(Debug)]
pub(crate) struct Rounds {
    pub(crate) count: usize,
    pub(crate) random: Random,
}

impl Rounds {
    /// `count` rounds by default, from a seed that is printed with `name`.
    pub(crate) fn of(name: &str, count: usize) -> Self {
        let seed = variable(SEED).unwrap_or_else(fresh_seed);
        let count = count * variable(FACTOR).unwrap_or(1) as usize;
        println!("{name}: {count} rounds, {SEED}={seed}");
        Self { count, random: Random::new(seed) }
    }
}

fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, is {value}")))
}
