//! A process for each simulation. What libraries draw by chance depends on what they drew before, and on how many of something their process has
//! made by then: only a process that did nothing else can repeat a seed.

use std::{
    env,
    process::{Command, Stdio},
    thread,
};

use crate::{simulation, stores::Broken};

/// The seed of the simulation that a process is started for. `chance.c` begins with it.
const SEED: &str = "ZOT_SIMULATION_SEED";
/// The promise that is broken in it.
const BROKEN: &str = "ZOT_SIMULATION_BROKEN";
/// What the line begins with that tells how it went.
const REPORT: &str = "the simulation went like this: ";

/// How a simulation went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) events: Vec<String>,
    pub(crate) violations: Vec<String>,
    /// How many images were pushed.
    pub(crate) images: usize,
}

/// Runs a cluster from a seed, in a process of its own.
pub(crate) fn run(seed: u64, broken: Broken) -> Course {
    let mut process = Command::new(env::current_exe().unwrap());
    process.args(["--exact", "process::a_simulation_that_was_asked_for_is_run", "--nocapture"]);
    process.env(SEED, seed.to_string()).env(BROKEN, format!("{broken:?}")).stderr(Stdio::inherit());
    let output = process.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let report = said.lines().find_map(|line| line.split_once(REPORT)).map(|(_, report)| report);
    let report = report.unwrap_or_else(|| panic!("seed {seed} with {broken:?} did not come to an end: {}\n{said}", output.status));
    let (events, violations, images) = serde_json::from_str(report).unwrap();
    Course { events, violations, images }
}

/// The other end of [`run`]: does nothing in a process that was not started by it.
#[test]
fn a_simulation_that_was_asked_for_is_run() {
    let Ok(seed) = env::var(SEED) else { return };
    let (seed, broken) = (seed.parse().unwrap(), env::var(BROKEN).unwrap());
    let broken = Broken::ALL.into_iter().find(|one| format!("{one:?}") == broken).unwrap();
    // On a thread that has drawn nothing yet. The first one of a process, which a test may be on, draws by true chance.
    let history = thread::spawn(move || simulation::run(seed, broken)).join().unwrap();
    let course = (history.events(), history.violations(), history.images().len());
    println!("{REPORT}{}", serde_json::to_string(&course).unwrap());
}
