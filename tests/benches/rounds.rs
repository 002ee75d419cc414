//! The comparison: each server in turn, round after round, with a fresh directory and an idle disk
//! every time.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;

use crate::fsync;
use crate::interrupt;
use crate::load::{self, Bound, Measured};
use crate::options::Options;
use crate::plan::Plan;
use crate::scenarios::{Case, Group};
use crate::server::{Server, Side};

/// Warm-up operations count from zero, measured ones from here, so that names never meet.
const MEASURED_FROM: u64 = 1_000_000_000;
/// A counted load that takes longer than this has failed.
const COUNTED_MAX: Duration = Duration::from_secs(900);

/// One case with what each server made of it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) case: String,
    pub(crate) clients: usize,
    pub(crate) in_bytes: bool,
    /// Whether it takes bytes in, so that it can be held against what one core can do.
    pub(crate) takes_in: bool,
    pub(crate) outcomes: Vec<Outcome>,
}

/// What one server made of a case.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) is_us: bool,
    pub(crate) server: String,
    pub(crate) measured: Measured,
    pub(crate) fsyncs_per_operation: Option<f64>,
    /// Why there are no figures, or not all of them.
    pub(crate) failure: Option<String>,
}

/// What every comparison of a run shares.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    sides: Vec<Side>,
    plan: &'a Plan,
    scratch: &'a Path,
    /// Why fsyncs are not counted, if they are not.
    pub(crate) fsync_skip: Option<String>,
}

impl<'a> Bench<'a> {
    /// Prepares to compare the two sides of the options.
    pub(crate) fn new(options: &Options, plan: &'a Plan, scratch: &'a Path) -> anyhow::Result<Self> {
        let mut bench = Self { sides: options.sides(), plan, scratch, fsync_skip: fsync::unavailable() };
        if bench.fsync_skip.is_none() {
            bench.fsync_skip = bench.attach_once()?;
        }
        Ok(bench)
    }

    /// The same with this program alone, whose servers let users in: other registries have other users.
    pub(crate) fn with_guests(&self) -> Bench<'a> {
        let sides = self.sides.iter().filter(|side| side.is_us).cloned().map(Side::with_guests).collect();
        Bench { sides, plan: self.plan, scratch: self.scratch, fsync_skip: self.fsync_skip.clone() }
    }

    /// Runs all cases of a group on both sides.
    pub(crate) fn group(&self, scenario: &'static str, group: Group) -> anyhow::Result<Vec<Row>> {
        let mut rows: Vec<_> = group.cases.iter().map(|case| self.row(scenario, case)).collect();
        if group.cases.is_empty() {
            return Ok(rows);
        }
        for _ in 0..self.plan.rounds {
            for side in 0..self.sides.len() {
                self.round(&group, side, &mut rows)?;
            }
        }
        if self.fsync_skip.is_none() && group.cases.iter().any(|case| case.writes) {
            for side in 0..self.sides.len() {
                self.count_fsyncs(&group, side, &mut rows)?;
            }
        }
        Ok(rows)
    }

    fn row(&self, scenario: &'static str, case: &Case) -> Row {
        let outcome = |side: &Side| Outcome {
            is_us: side.is_us,
            server: side.name.clone(),
            measured: Measured::default(),
            fsyncs_per_operation: None,
            failure: None,
        };
        Row {
            scenario,
            case: case.name.clone(),
            clients: case.clients,
            in_bytes: case.in_bytes,
            takes_in: case.in_bytes && case.writes,
            outcomes: self.sides.iter().map(outcome).collect(),
        }
    }

    /// One server's turn: its failure is part of the result, an interrupt ends the run.
    fn round(&self, group: &Group, side: usize, rows: &mut [Row]) -> anyhow::Result<()> {
        match self.ready(group, side) {
            Ok(server) => {
                for (case, row) in group.cases.iter().zip(rows) {
                    row.outcomes[side].add(self.measure(case, &server));
                    interrupt::check()?;
                }
            }
            Err(error) => {
                interrupt::check()?;
                rows.iter_mut().for_each(|row| row.outcomes[side].fail(&error));
            }
        }
        Ok(())
    }

    /// A fresh server that holds what the group needs, on a disk with nothing left to write.
    fn ready(&self, group: &Group, side: usize) -> anyhow::Result<Server> {
        let server = self.sides[side].start(self.scratch)?;
        (group.prepare)(&mut server.session())?;
        rustix::fs::sync();
        Ok(server)
    }

    fn measure(&self, case: &Case, server: &Server) -> anyhow::Result<Measured> {
        let bytes = self.plan.window_bytes_max;
        if let Some(operations) = case.operations {
            let bound = Bound { window: COUNTED_MAX, operations, bytes: u64::MAX, first: 0 };
            return load::apply(case, server, bound);
        }
        let warmup = Bound { window: self.plan.warmup, operations: u64::MAX, bytes, first: 0 };
        load::apply(case, server, warmup)?;
        let measured = Bound { window: self.plan.window, first: MEASURED_FROM, ..warmup };
        load::apply(case, server, measured)
    }

    fn count_fsyncs(&self, group: &Group, side: usize, rows: &mut [Row]) -> anyhow::Result<()> {
        let Ok(server) = self.ready(group, side) else {
            // The same failure stands in the row already.
            return Ok(interrupt::check()?);
        };
        for (case, row) in group.cases.iter().zip(rows).filter(|(case, _)| case.writes) {
            match self.fsyncs(case, &server) {
                Ok(count) => row.outcomes[side].fsyncs_per_operation = Some(count),
                Err(error) => row.outcomes[side].fail(&error),
            }
            interrupt::check()?;
        }
        Ok(())
    }

    fn fsyncs(&self, case: &Case, server: &Server) -> anyhow::Result<f64> {
        let operations = self.plan.fsync_operations.min(case.operations.unwrap_or(u64::MAX));
        let bytes = self.plan.fsync_bytes_max;
        let bound = Bound { window: COUNTED_MAX, operations, bytes, first: 0 };
        let count = fsync::Count::start(server.pid(), self.scratch)?;
        let measured = load::apply(case, server, bound)?;
        if let Some(failure) = measured.seen.first_failure {
            bail!("while counting fsyncs: {failure}");
        }
        Ok(count.finish()? as f64 / measured.seen.operations as f64)
    }

    /// Whether tracing is allowed here: a reason when it is not.
    fn attach_once(&self) -> anyhow::Result<Option<String>> {
        let Some(Ok(server)) = self.sides.last().map(|side| side.start(self.scratch)) else {
            return Ok(None);
        };
        let tried = fsync::Count::start(server.pid(), self.scratch).and_then(fsync::Count::finish);
        Ok(tried.err().map(|error| format!("{error:#}")))
    }
}

impl Outcome {
    fn add(&mut self, measured: anyhow::Result<Measured>) {
        match measured {
            Ok(measured) => {
                self.failure = self.failure.take().or_else(|| measured.seen.first_failure.clone());
                self.measured.merge(measured);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &anyhow::Error) {
        self.failure.get_or_insert_with(|| format!("{error:#}"));
    }
}
