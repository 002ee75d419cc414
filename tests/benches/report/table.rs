//! The report for people: two lines a case, ours with the ratios.

use std::io::{Result, Write};

use super::Report;
use super::figures::{DecileFigures, Figures, Ratios};
use crate::reference::{self, Reference};
use crate::rounds::Row;

const LEGEND: &str = "\
cpu, client: CPU time per operation of the server and of the load generator; others: cores the rest of the machine used;
growth: peak over the memory held before; fsyncs, written to disk, bytes moved: per operation; ratios above 1 are in our favour
";

/// Says what is measured on what, before anything is.
pub(crate) fn opening(out: &mut impl Write, report: &Report) -> Result<()> {
    let (plan, machine) = (&report.plan, &report.machine);
    writeln!(
        out,
        "{} run: {} rounds in turn, {:?} a case; {} cores ({}), {}, Linux {}, load {} before",
        plan.name, plan.rounds, plan.window, machine.cores, machine.processor, machine.file_system, machine.kernel, machine.load_before,
    )?;
    out.write_all(LEGEND.as_bytes())
}

/// What one core can do.
pub(crate) fn reference(out: &mut impl Write, lines: &[Reference]) -> Result<()> {
    writeln!(out, "\nreference: one core, one connection, 32 MiB at a time")?;
    for line in lines {
        let (clock, cpu) = (line.mib_per_second, line.mib_per_cpu_second);
        writeln!(out, "  {:40} {clock:8.0} MiB/s {cpu:8.0} MiB per CPU second", line.what)?;
    }
    Ok(())
}

/// The rows of one group, not yet among the report's; the first of a scenario brings the heading.
pub(crate) fn rows(out: &mut impl Write, report: &Report, rows: &[Row]) -> Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    if report.rows.last().map(|row| row.scenario) != Some(first.scenario) {
        heading(out, first.scenario)?;
    }
    let core = reference::of_a_push(&report.reference);
    rows.iter().try_for_each(|row| one(out, row, core))
}

fn heading(out: &mut impl Write, scenario: &str) -> Result<()> {
    write!(out, "\n{scenario:34} {:15} {:>11} {:>8} {:>8}", "", "rate", "p50", "p99")?;
    write!(out, " {:>8} {:>6} {:>8} {:>6}", "cpu", "cores", "client", "others")?;
    write!(out, " {:>9} {:>9} {:>7} {:>9} {:>9}", "peak rss", "growth", "fsyncs", "written", "bytes")?;
    writeln!(out, "  {:>7} {:>7}", "rate", "cpu")
}

fn one(out: &mut impl Write, row: &Row, core: Option<f64>) -> Result<()> {
    let ratios = Ratios::of(row);
    for (number, outcome) in row.outcomes.iter().enumerate() {
        let figures = Figures::of(outcome);
        let case = if number == 0 { row.case.as_str() } else { "" };
        write!(out, "{case:34} {:15} ", figures.server)?;
        line(out, &figures, row.in_bytes)?;
        if number == 0 {
            write!(out, "  {:>7} {:>7}", times(ratios.rate), times(ratios.cpu))?;
        }
        if let (Some(core), true) = (core, row.takes_in) {
            write!(out, "  {:.0} % of a core's best", 100.0 * figures.mib_per_second / core)?;
        }
        writeln!(out)?;
        deciles(out, &figures.deciles)?;
        if let Some(failure) = &figures.failure {
            writeln!(out, "  FAILED ({} operations): {failure}", figures.failures)?;
        }
    }
    out.flush()
}

fn line(out: &mut impl Write, figures: &Figures, in_bytes: bool) -> Result<()> {
    let rate = if in_bytes { format!("{:.0} MiB/s", figures.mib_per_second) } else { format!("{:.0} /s", figures.operations_per_second) };
    let (cpu, client) = (figures.server_cpu_ms_per_operation, figures.client_cpu_ms_per_operation);
    let (peak, growth) = (figures.rss_peak_bytes as f64, figures.rss_growth_bytes as f64);
    let fsyncs = figures.fsyncs_per_operation;
    let fsyncs = fsyncs.map_or_else(|| "-".to_owned(), |count| format!("{count:.2}"));
    write!(out, "{rate:>11} {:>8} {:>8}", time(figures.p50_ms), time(figures.p99_ms))?;
    write!(out, " {:>8} {:>6.2} {:>8} {:>6.2}", time(cpu), figures.server_cores, time(client), figures.other_cores)?;
    write!(out, " {:>9} {:>9} {fsyncs:>7}", bytes(peak), bytes(growth))?;
    write!(out, " {:>9} {:>9}", bytes(figures.written_bytes_per_operation), bytes(figures.bytes_per_operation))
}

/// Latency and cost of each tenth, so that growth is seen.
fn deciles(out: &mut impl Write, deciles: &[DecileFigures]) -> Result<()> {
    let (Some(first), Some(last)) = (deciles.first(), deciles.last()) else {
        return Ok(());
    };
    let mut series = |name: &str, of: fn(&DecileFigures) -> f64| {
        let values: Vec<_> = deciles.iter().map(|decile| time(of(decile))).collect();
        let growth = if of(first) > 0.0 { of(last) / of(first) } else { 0.0 };
        writeln!(out, "  deciles {name:4} {}  last/first {growth:.2}", values.join(" "))
    };
    series("p50", |decile| decile.p50_ms)?;
    series("p99", |decile| decile.p99_ms)?;
    series("cpu", |decile| decile.server_cpu_ms_per_operation)
}

/// What did not work, at the end where it is seen.
pub(crate) fn closing(out: &mut impl Write, report: &Report) -> Result<()> {
    let failures = report.failures();
    writeln!(out, "\n{} cases, {failures} measures failed", report.rows.len())
}

fn times(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x"))
}

fn time(milliseconds: f64) -> String {
    match milliseconds {
        _ if milliseconds >= 1000.0 => format!("{:.2}s", milliseconds / 1e3),
        _ if milliseconds >= 1.0 => format!("{milliseconds:.2}ms"),
        _ => format!("{:.0}us", milliseconds * 1e3),
    }
}

fn bytes(bytes: f64) -> String {
    match bytes {
        _ if bytes >= 1e6 => format!("{:.1}MiB", bytes / f64::from(1 << 20)),
        _ => format!("{:.1}KiB", bytes / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_the_unit_that_fits() {
        assert_eq!([time(0.0123), time(1.5), time(1500.0)], ["12us", "1.50ms", "1.50s"]);
        assert_eq!([bytes(2048.0), bytes(5_242_880.0)], ["2.0KiB", "5.0MiB"]);
        assert_eq!([times(Some(4.0)), times(None)], ["4.00x", "-"]);
    }
}
