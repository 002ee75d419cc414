//! The figures people compare, worked out from what was counted.

use std::time::Duration;

use serde::Serialize;

use crate::load::Decile;
use crate::rounds::{Outcome, Row};

/// One server's figures in one case.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) server: String,
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
    pub(crate) bytes_per_operation: f64,
    pub(crate) seconds: f64,
    pub(crate) operations_per_second: f64,
    pub(crate) mib_per_second: f64,
    /// The same of each round.
    pub(crate) operations_per_second_of_rounds: Vec<f64>,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) server_cpu_ms_per_operation: f64,
    pub(crate) client_cpu_ms_per_operation: f64,
    /// Cores that the server kept busy.
    pub(crate) server_cores: f64,
    /// Cores that neither server nor client kept busy: where they are many, the rate says little.
    pub(crate) other_cores: f64,
    pub(crate) rss_peak_bytes: u64,
    pub(crate) rss_growth_bytes: u64,
    pub(crate) fsyncs_per_operation: Option<f64>,
    pub(crate) written_bytes_per_operation: f64,
    pub(crate) deciles: Vec<DecileFigures>,
    pub(crate) failures: u64,
    pub(crate) failure: Option<String>,
}

/// One tenth of a counted case.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DecileFigures {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) server_cpu_ms_per_operation: f64,
}

/// Us against the peer: above one, we are better.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ratios {
    pub(crate) rate: Option<f64>,
    pub(crate) cpu: Option<f64>,
}

impl Figures {
    /// Works out the figures of one outcome.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let (measured, seen) = (&outcome.measured, &outcome.measured.seen);
        let (operations, seconds) = (seen.operations as f64, measured.elapsed.as_secs_f64());
        let each = |total: f64| share(total, operations);
        let per_decile = operations / seen.deciles.len().max(1) as f64;
        Self {
            server: outcome.server.clone(),
            operations: seen.operations,
            bytes: seen.bytes,
            bytes_per_operation: each(seen.bytes as f64),
            seconds,
            operations_per_second: share(operations, seconds),
            mib_per_second: share(seen.bytes as f64 / f64::from(1 << 20), seconds),
            operations_per_second_of_rounds: measured.rates.clone(),
            p50_ms: milliseconds(seen.latencies.quantile(0.5)),
            p99_ms: milliseconds(seen.latencies.quantile(0.99)),
            max_ms: milliseconds(seen.latencies.max()),
            server_cpu_ms_per_operation: each(milliseconds(measured.server_cpu)),
            client_cpu_ms_per_operation: each(milliseconds(measured.client_cpu)),
            server_cores: share(measured.server_cpu.as_secs_f64(), seconds),
            other_cores: share(measured.other_cpu.as_secs_f64(), seconds),
            rss_peak_bytes: measured.rss_peak,
            rss_growth_bytes: measured.rss_growth,
            fsyncs_per_operation: outcome.fsyncs_per_operation,
            written_bytes_per_operation: each(measured.written as f64),
            deciles: seen.deciles.iter().map(|decile| DecileFigures::of(decile, per_decile)).collect(),
            failures: seen.failures,
            failure: outcome.failure.clone(),
        }
    }
}

impl DecileFigures {
    fn of(decile: &Decile, operations: f64) -> Self {
        Self {
            p50_ms: milliseconds(decile.latencies.quantile(0.5)),
            p99_ms: milliseconds(decile.latencies.quantile(0.99)),
            server_cpu_ms_per_operation: share(milliseconds(decile.server_cpu), operations),
        }
    }
}

impl Ratios {
    /// Compares the two sides of a row, where both have figures.
    pub(crate) fn of(row: &Row) -> Self {
        let side = |us| row.outcomes.iter().find(|outcome| outcome.is_us == us).map(Figures::of);
        let (Some(us), Some(peer)) = (side(true), side(false)) else {
            return Self { rate: None, cpu: None };
        };
        let ratio = |over: f64, under: f64| (over > 0.0 && under > 0.0).then(|| over / under);
        Self {
            rate: ratio(us.operations_per_second, peer.operations_per_second),
            cpu: ratio(peer.server_cpu_ms_per_operation, us.server_cpu_ms_per_operation),
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Zero of nothing is zero.
fn share(total: f64, of: f64) -> f64 {
    if of > 0.0 { total / of } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Measured;

    fn outcome(is_us: bool, operations: u64, cpu: u64) -> Outcome {
        let mut measured = Measured { elapsed: Duration::from_secs(2), ..Measured::default() };
        measured.seen.operations = operations;
        measured.server_cpu = Duration::from_millis(cpu);
        let (server, fsyncs_per_operation, failure) = (String::new(), None, None);
        Outcome { is_us, server, measured, fsyncs_per_operation, failure }
    }

    fn row(outcomes: Vec<Outcome>) -> Row {
        Row { scenario: "s", case: "c".to_owned(), clients: 1, in_bytes: false, takes_in: false, outcomes }
    }

    #[test]
    fn four_times_the_rate_at_half_the_cost() {
        let ratios = Ratios::of(&row(vec![outcome(true, 400, 200), outcome(false, 100, 100)]));
        assert_eq!((ratios.rate, ratios.cpu), (Some(4.0), Some(2.0)));
    }

    #[test]
    fn nothing_is_compared_with_a_side_that_failed() {
        let ratios = Ratios::of(&row(vec![outcome(true, 0, 0), outcome(false, 100, 100)]));
        assert_eq!((ratios.rate, ratios.cpu), (None, None));
    }
}
