//! Which seeds a test runs, by the variables that the tests of faults go by too.

use std::{
    env,
    io::{self, Write as _},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::random::Random;

/// How long seeds are begun at all, however many were wanted: a machine that has much else to do is not to be at it for hours.
const BUDGET: Duration = Duration::from_secs(150);

/// How many seeds are run however long that takes: a test that has hardly seen anything shall not pass.
const LEAST: u64 = 10;

/// Multiplies the number of seeds and the time for them: `ZOT_FAULTS_FACTOR=50` for a long run.
const FACTOR: &str = "ZOT_FAULTS_FACTOR";
/// Runs this seed alone.
const SEED: &str = "ZOT_FAULTS_SEED";

/// The seeds of a test.
pub(crate) struct Rounds {
    count: u64,
    budget: Duration,
    only: Option<u64>,
}

impl Rounds {
    pub(crate) fn of(count: u64) -> Self {
        let factor = variable(FACTOR).unwrap_or(1);
        Self { count: count * factor, budget: BUDGET * factor as u32, only: variable(SEED) }
    }

    /// How many seeds are run at least.
    pub(crate) fn least(&self) -> u64 {
        if self.only.is_some() { 1 } else { LEAST }
    }

    /// The seed that is asked for, or others in each run: as many as there must be, and more until there are enough or the time is over.
    pub(crate) fn seeds(&self) -> impl Iterator<Item = u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let (fresh, begun) = (Random::new(since.as_nanos() as u64), Instant::now());
        let (only, budget, least) = (self.only, self.budget, self.least());
        let count = if only.is_some() { 1 } else { self.count };
        let wanted = (0..count).take_while(move |number| *number < least || begun.elapsed() < budget);
        wanted.map(move |_| only.unwrap_or_else(|| fresh.next() % 1_000_000_000))
    }
}

/// What runs a seed again.
pub(crate) fn command(seed: u64) -> String {
    format!("{SEED}={seed} cargo test -p zot-simulation what_is_promised")
}

/// Says something of a test that passes, which the harness would swallow if it were printed.
pub(crate) fn tell(text: &str) {
    writeln!(io::stderr().lock(), "{text}").ok();
}

fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, is {value}")))
}
