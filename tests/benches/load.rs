//! Applying a case to a server: as many threads as it has clients, each with one connection and one
//! operation in flight.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use crate::histogram::Histogram;
use crate::interrupt;
use crate::scenarios::Case;
use crate::server::{self, Server};

/// A client gives up after this many failures: the case has failed and the rest would only cost time.
const FAILURES_MAX: u64 = 5;
pub(crate) const DECILES: usize = 10;

/// Where a load ends: at the first bound reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) window: Duration,
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
    /// The number of the first operation.
    pub(crate) first: u64,
}

/// What was seen of one tenth of a counted load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decile {
    pub(crate) latencies: Histogram,
    pub(crate) server_cpu: Duration,
}

/// What clients saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) latencies: Histogram,
    pub(crate) deciles: Vec<Decile>,
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
    pub(crate) failures: u64,
    pub(crate) first_failure: Option<String>,
}

/// A load's figures; several rounds merge into one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) seen: Seen,
    pub(crate) elapsed: Duration,
    pub(crate) server_cpu: Duration,
    pub(crate) client_cpu: Duration,
    /// What the rest of the machine spent meanwhile, the kernel's own threads among it.
    pub(crate) other_cpu: Duration,
    pub(crate) written: u64,
    pub(crate) rss_peak: u64,
    pub(crate) rss_growth: u64,
    /// Operations per second of each round.
    pub(crate) rates: Vec<f64>,
}

/// Runs a case until it reaches its bound.
pub(crate) fn apply(case: &Case, server: &Server, bound: Bound) -> anyhow::Result<Measured> {
    server.forget_peak()?;
    let (usage, memory) = (server.usage()?, server.memory()?);
    let (client, machine) = (server::own_cpu(), server::machine_cpu()?);
    let course = Course::new(case, server, bound);
    let (seen, elapsed) = course.run()?;
    let (spent, held) = (server.usage()?.since(usage), server.memory()?);
    let client_cpu = server::own_cpu().saturating_sub(client);
    let machine_cpu = server::machine_cpu()?.saturating_sub(machine);
    let rate = seen.operations as f64 / elapsed.as_secs_f64();
    Ok(Measured {
        seen,
        elapsed,
        server_cpu: spent.cpu,
        client_cpu,
        other_cpu: machine_cpu.saturating_sub(spent.cpu + client_cpu),
        written: spent.written,
        rss_peak: held.peak,
        rss_growth: held.peak.saturating_sub(memory.resident),
        rates: vec![rate],
    })
}

impl Measured {
    /// Adds another round.
    pub(crate) fn merge(&mut self, other: Self) {
        self.seen.merge(other.seen);
        self.elapsed += other.elapsed;
        self.server_cpu += other.server_cpu;
        self.client_cpu += other.client_cpu;
        self.other_cpu += other.other_cpu;
        self.written += other.written;
        self.rss_peak = self.rss_peak.max(other.rss_peak);
        self.rss_growth = self.rss_growth.max(other.rss_growth);
        self.rates.extend(other.rates);
    }
}

impl Seen {
    fn failed(&mut self, error: &anyhow::Error) {
        self.failures += 1;
        self.first_failure.get_or_insert_with(|| format!("{error:#}"));
    }

    fn merge(&mut self, other: Self) {
        self.latencies.merge(&other.latencies);
        self.deciles.resize_with(self.deciles.len().max(other.deciles.len()), Decile::default);
        for (mine, theirs) in self.deciles.iter_mut().zip(other.deciles) {
            mine.latencies.merge(&theirs.latencies);
            mine.server_cpu += theirs.server_cpu;
        }
        self.operations += other.operations;
        self.bytes += other.bytes;
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }
}

/// One load while it runs.
struct Course<'a> {
    case: &'a Case,
    server: &'a Server,
    bound: Bound,
    begun: AtomicU64,
    moved: AtomicU64,
    start: Barrier,
    /// When the first client was let go.
    started: OnceLock<Instant>,
}

/// The server's CPU time when the first operation of a decile began.
type Mark = (usize, Duration);

impl<'a> Course<'a> {
    fn new(case: &'a Case, server: &'a Server, bound: Bound) -> Self {
        let (begun, moved) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { case, server, bound, begun, moved, start: Barrier::new(case.clients), started: OnceLock::new() }
    }

    fn run(&self) -> anyhow::Result<(Seen, Duration)> {
        let mut total = Seen::default();
        let mut marks = Vec::new();
        thread::scope(|scope| -> anyhow::Result<()> {
            let clients: Vec<_> = (0..self.case.clients).map(|_| scope.spawn(|| self.client())).collect();
            for client in clients {
                let (seen, its_marks) = client.join().map_err(|_| anyhow!("a client panicked"))??;
                total.merge(seen);
                marks.extend(its_marks);
            }
            Ok(())
        })?;
        let elapsed = self.started.get_or_init(Instant::now).elapsed();
        if self.case.deciles {
            marks.push((DECILES, self.server.usage()?.cpu));
            spread(&mut total.deciles, marks);
        }
        Ok((total, elapsed))
    }

    /// One client: operations one after the other until the bound.
    fn client(&self) -> anyhow::Result<(Seen, Vec<Mark>)> {
        let mut session = self.server.session();
        let (mut seen, mut marks) = (Seen::default(), Vec::new());
        // Connected before the clock starts; a failure shows in the first operation.
        let _ = session.get("/v2/");
        self.start.wait();
        let deadline = *self.started.get_or_init(Instant::now) + self.bound.window;
        while let Some(number) = self.next(deadline) {
            let decile = self.decile(number);
            if let Some(mark) = self.mark(number)? {
                marks.push(mark);
            }
            let begun = Instant::now();
            match (self.case.act)(&mut session, self.bound.first + number) {
                Ok(bytes) => self.succeeded(&mut seen, begun.elapsed(), bytes, decile),
                Err(error) => seen.failed(&error),
            }
            if seen.failures >= FAILURES_MAX {
                break;
            }
        }
        Ok((seen, marks))
    }

    /// The number of the next operation, if there is to be one.
    fn next(&self, deadline: Instant) -> Option<u64> {
        let over = interrupt::is_raised() || self.moved.load(Ordering::Relaxed) >= self.bound.bytes || Instant::now() >= deadline;
        if over {
            return None;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        (number < self.bound.operations).then_some(number)
    }

    fn decile(&self, number: u64) -> Option<usize> {
        let share = DECILES as u64 * number / self.bound.operations;
        self.case.deciles.then_some(share as usize)
    }

    /// A mark, if this operation is the first of its decile.
    fn mark(&self, number: u64) -> anyhow::Result<Option<Mark>> {
        let decile = self.decile(number);
        let first = number == 0 || decile != self.decile(number - 1);
        match decile {
            Some(decile) if first => Ok(Some((decile, self.server.usage()?.cpu))),
            _ => Ok(None),
        }
    }

    fn succeeded(&self, seen: &mut Seen, latency: Duration, bytes: u64, decile: Option<usize>) {
        self.moved.fetch_add(bytes, Ordering::Relaxed);
        seen.operations += 1;
        seen.bytes += bytes;
        seen.latencies.record(latency);
        if let Some(decile) = decile {
            seen.deciles.resize_with(DECILES, Decile::default);
            seen.deciles[decile].latencies.record(latency);
        }
    }
}

/// Gives each decile the CPU time between its mark and the next one.
fn spread(deciles: &mut [Decile], mut marks: Vec<Mark>) {
    marks.sort_unstable();
    for pair in marks.windows(2) {
        let (index, from) = pair[0];
        if let Some(decile) = deciles.get_mut(index) {
            decile.server_cpu = pair[1].1.saturating_sub(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decile_costs_what_lies_between_two_marks() {
        let mut deciles = vec![Decile::default(); 2];
        let at = Duration::from_millis;
        spread(&mut deciles, vec![(2, at(50)), (0, at(10)), (1, at(30))]);
        assert_eq!(deciles[0].server_cpu, at(20));
        assert_eq!(deciles[1].server_cpu, at(20));
    }

    #[test]
    fn merging_keeps_the_first_failure_and_adds_the_counts() {
        let mut left = Seen { operations: 1, bytes: 10, ..Seen::default() };
        let mut right = Seen { operations: 2, bytes: 20, ..Seen::default() };
        right.failed(&anyhow!("refused"));
        left.merge(right);
        assert_eq!((left.operations, left.bytes, left.failures), (3, 30, 1));
        assert_eq!(left.first_failure.as_deref(), Some("refused"));
    }
}
