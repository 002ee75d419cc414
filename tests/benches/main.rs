//! The load generator: runs this registry and a peer in turn on one machine and prints what each of
//! them took, with the ratio. One command starts it: `tests/bench`.

mod content;
mod fsync;
mod histogram;
mod http;
mod interrupt;
mod load;
mod machine;
mod options;
mod plan;
mod reference;
mod report;
mod rounds;
mod scenarios;
mod server;
mod session;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::options::Options;
use crate::report::Report;
use crate::rounds::Bench;
use crate::server::guests::Guests;

/// What shells expect of a program that SIGINT has ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match start(&Options::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing is left to tell anybody if this cannot be written.
            let _ = writeln!(io::stderr(), "bench: {error:#}");
            if interrupt::is_raised() { ExitCode::from(INTERRUPTED) } else { ExitCode::FAILURE }
        }
    }
}

/// Does what the command line asks for and returns how many measures failed.
fn start(options: &Options) -> anyhow::Result<usize> {
    if options.list {
        let mut scenarios = scenarios::ALL.iter();
        scenarios.try_for_each(|scenario| writeln!(io::stdout(), "{:14} {}", scenario.name, scenario.about))?;
        return Ok(0);
    }
    interrupt::watch()?;
    let report = run(options)?;
    if let Some(path) = &options.json {
        report::json::write(path, &report).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(report.failures())
}

/// Runs every chosen scenario, printing each table as soon as it is known.
fn run(options: &Options) -> anyhow::Result<Report> {
    let chosen = scenarios::select(&options.scenarios)?;
    let plan = options.plan();
    let scratch = options.scratch()?;
    let mut report = Report::new(&plan, machine::describe(scratch.path())?);
    let mut out = io::stdout();
    report::table::opening(&mut out, &report)?;

    let bench = Bench::new(options, &plan, scratch.path())?;
    let guests = bench.with_guests();
    if let Some(reason) = &bench.fsync_skip {
        writeln!(out, "skip: fsync counts ({reason})")?;
    }
    for scenario in chosen {
        if scenario.name == reference::NAME {
            report.reference = reference::measure(&plan, scratch.path())?;
            report::table::reference(&mut out, &report.reference)?;
        }
        let with_guests = scenario.name == scenarios::guests::NAME;
        if let Some(reason) = with_guests.then(Guests::unavailable).flatten() {
            writeln!(out, "skip: {} ({reason})", scenario.name)?;
            continue;
        }
        for group in (scenario.groups)(&plan) {
            let bench = if with_guests { &guests } else { &bench };
            let rows = bench.group(scenario.name, group.keeping(&options.case))?;
            report::table::rows(&mut out, &report, &rows)?;
            report.rows.extend(rows);
        }
        interrupt::check()?;
    }
    report::table::closing(&mut out, &report)?;
    Ok(report)
}
