//! The report for programs: every figure, unrounded.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::Report;
use super::figures::{Figures, Ratios};
use crate::machine::Machine;
use crate::reference::Reference;

#[derive(Serialize)]
struct Document<'a> {
    plan: &'static str,
    rounds: u32,
    window_seconds: f64,
    machine: &'a Machine,
    reference: &'a [Reference],
    rows: Vec<RowDocument<'a>>,
}

#[derive(Serialize)]
struct RowDocument<'a> {
    scenario: &'static str,
    case: &'a str,
    clients: usize,
    servers: Vec<Figures>,
    us_over_peer: Ratios,
}

/// Writes the report to a file.
pub(crate) fn write(path: &Path, report: &Report) -> anyhow::Result<()> {
    let rows = report.rows.iter().map(|row| RowDocument {
        scenario: row.scenario,
        case: &row.case,
        clients: row.clients,
        servers: row.outcomes.iter().map(Figures::of).collect(),
        us_over_peer: Ratios::of(row),
    });
    let document = Document {
        plan: report.plan.name,
        rounds: report.plan.rounds,
        window_seconds: report.plan.window.as_secs_f64(),
        machine: &report.machine,
        reference: &report.reference,
        rows: rows.collect(),
    };
    fs::write(path, serde_json::to_vec_pretty(&document)?)?;
    Ok(())
}
