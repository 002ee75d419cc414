//! The command line of the load generator.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use tempfile::TempDir;

use crate::machine;
use crate::plan::Plan;
use crate::server::{Dialect, Side};

/// Runs this registry and a peer in turn under the same load and prints the ratio.
#[derive(Debug, Parser)]
// The wrapper names the programs and the directory; what the user says after it wins.
#[command(name = "tests/bench", version, args_override_self = true)]
pub(crate) struct Options {
    /// Scenarios to run, all of them when none is named
    pub(crate) scenarios: Vec<String>,
    /// Names the scenarios and ends
    #[arg(long)]
    pub(crate) list: bool,
    /// Runs only the cases whose name contains this text
    #[arg(long, default_value = "")]
    pub(crate) case: String,
    /// A smoke run of less than a minute: its figures mean little
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// Longer windows, more rounds and the 5 GiB push
    #[arg(long)]
    pub(crate) full: bool,
    /// Rounds of us and the peer in turn
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: Option<u32>,
    /// Seconds of load per case and round
    #[arg(long)]
    pub(crate) seconds: Option<f64>,
    /// Runs one of the two servers only
    #[arg(long)]
    pub(crate) only: Option<Which>,
    /// The program under test
    #[arg(long, default_value = "target/release/zot")]
    pub(crate) us: PathBuf,
    /// The form of configuration that the program under test reads
    #[arg(long, value_enum, default_value_t = Dialect::Zot)]
    pub(crate) us_dialect: Dialect,
    /// The program to compare with
    #[arg(long, default_value = "docker-registry")]
    pub(crate) peer: PathBuf,
    /// The form of configuration that the peer reads
    #[arg(long, value_enum, default_value_t = Dialect::Distribution)]
    pub(crate) peer_dialect: Dialect,
    /// Where the servers keep their data during a run: a real disk, not memory
    #[arg(long, default_value = "target/bench")]
    pub(crate) data: PathBuf,
    /// Also writes every figure to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// One of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The program under test.
    Us,
    /// The program to compare with.
    Peer,
}

impl Options {
    /// Sizes and durations as asked for.
    pub(crate) fn plan(&self) -> Plan {
        let mut plan = match (self.quick, self.full) {
            (true, _) => Plan::quick(),
            (_, true) => Plan::full(),
            _ => Plan::standard(),
        };
        if let Some(rounds) = self.rounds {
            plan.rounds = rounds;
        }
        if let Some(seconds) = self.seconds {
            plan.window = Duration::from_secs_f64(seconds.max(0.01));
        }
        plan
    }

    /// The servers to run, the one under test first.
    pub(crate) fn sides(&self) -> Vec<Side> {
        let mut sides = Vec::new();
        if self.only != Some(Which::Peer) {
            sides.push(Side::new(true, self.us.clone(), self.us_dialect));
        }
        if self.only != Some(Which::Us) {
            sides.push(Side::new(false, self.peer.clone(), self.peer_dialect));
        }
        sides
    }

    /// A directory of this run's own, removed when it is dropped.
    pub(crate) fn scratch(&self) -> anyhow::Result<TempDir> {
        fs::create_dir_all(&self.data).with_context(|| format!("create directory {}", self.data.display()))?;
        if machine::is_memory(&self.data)? {
            bail!("{} is in memory: name a directory on a disk with --data", self.data.display());
        }
        // Servers are started elsewhere, so that the path must not depend on where we are.
        let data = self.data.canonicalize().context("resolve the data directory")?;
        tempfile::Builder::new().prefix("run-").tempdir_in(&data).with_context(|| format!("create a directory in {}", data.display()))
    }
}
