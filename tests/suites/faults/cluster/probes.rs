//! Clients that move a tag and read it, again and again, and measure for how long they could not.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};
use zot_tests::{Client, Front, Image, client::Call};

/// Probes at a time, each with a repository of its own.
const PROBES: usize = 6;
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// How long an attempt may take before the client gives up.
const ATTEMPT: Duration = Duration::from_secs(10);

/// The most reads that may fail in a row: one, whose connection was to what died, and as many for what is slow because everything runs on one machine.
const READ_FAILURES_MAX: usize = 2;

/// Probes at work.
pub(super) struct Probes {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<[Gap; 2]>,
}

/// The longest time without success, and the failures in a row in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Gap {
    time: Duration,
    failures: usize,
}

/// What all probes met.
pub(super) struct Gaps {
    reads: Gap,
    writes: Gap,
}

impl Gaps {
    /// Fails where a client had to try again and again, as it need not while any way to what it wants is left.
    pub(super) fn check(&self) {
        assert!(self.reads.failures <= READ_FAILURES_MAX, "reads failed again and again: {self}");
    }
}

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |gap: Gap| format!("{:.1?} with {} failures in a row", gap.time, gap.failures);
        write!(f, "the longest gap of reads was {}, of writes {}", told(self.reads), told(self.writes))
    }
}

/// How long the gaps of a campaign were.
pub(super) struct Distribution {
    reads: Vec<Gap>,
    writes: Vec<Gap>,
}

impl Distribution {
    pub(super) fn of(gaps: &[Gaps]) -> Self {
        let sorted = |of: fn(&Gaps) -> Gap| {
            let mut gaps: Vec<Gap> = gaps.iter().map(of).collect();
            gaps.sort_unstable();
            gaps
        };
        Self { reads: sorted(|gaps| gaps.reads), writes: sorted(|gaps| gaps.writes) }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, gaps) in [("reads", &self.reads), ("; writes", &self.writes)] {
            let at = |percent: usize| gaps.get((gaps.len() * percent).div_ceil(100).max(1) - 1).copied().unwrap_or_default().time;
            let failures = gaps.iter().map(|gap| gap.failures).max().unwrap_or_default();
            let (count, least, median, most, longest) = (gaps.len(), at(0), at(50), at(90), at(100));
            write!(
                f,
                "{what}: {count} gaps, least {least:.2?}, median {median:.2?}, nine of ten within {most:.2?}, longest {longest:.2?}, "
            )?;
            write!(f, "at most {failures} failures in a row")?;
        }
        Ok(())
    }
}

impl Probes {
    pub(super) async fn start(front: &Front) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for number in 0..PROBES {
            let (client, stop) = (front.client(), stop.clone());
            let repository = format!("probes/{number}");
            let image = Image::small(number as u64);
            client.push_image(&repository, "probe", &image).await;
            tasks.spawn(async move {
                let [mut read, mut write] = [Watch::default(); 2];
                while !stop.load(Ordering::Relaxed) {
                    read.attempt(client.get_manifest(&repository, "probe"), 200).await;
                    write.attempt(client.put_manifest(&repository, "probe", &image.manifest), 201).await;
                    tokio::time::sleep(PAUSE).await;
                }
                finish(&client, &repository, &image, [read, write]).await
            });
        }
        Self { stop, tasks }
    }

    pub(super) async fn stop(self) -> Gaps {
        self.stop.store(true, Ordering::Relaxed);
        let gaps = self.tasks.join_all().await;
        let longest = |at: usize| gaps.iter().map(|gap| gap[at]).max().unwrap_or_default();
        Gaps { reads: longest(0), writes: longest(1) }
    }
}

/// A gap ends with a success, also after the fault is over.
async fn finish(client: &Client, repository: &str, image: &Image, [mut read, mut write]: [Watch; 2]) -> [Gap; 2] {
    let begun = Instant::now();
    while read.failing.is_some() || write.failing.is_some() {
        assert!(begun.elapsed() < zot_tests::wait::PATIENCE, "{repository} does not work again");
        read.attempt(client.get_manifest(repository, "probe"), 200).await;
        write.attempt(client.put_manifest(repository, "probe", &image.manifest), 201).await;
        tokio::time::sleep(PAUSE).await;
    }
    [read.longest, write.longest]
}

/// Attempts at one thing.
#[derive(Debug, Clone, Copy, Default)]
struct Watch {
    longest: Gap,
    /// Since when it fails, and how often in a row.
    failing: Option<(Instant, usize)>,
}

impl Watch {
    async fn attempt(&mut self, call: Call<'_>, expected: u16) {
        let begun = Instant::now();
        let answer = timeout(ATTEMPT, call.try_send()).await;
        let (since, failures) = self.failing.unwrap_or((begun, 0));
        if answer.is_ok_and(|answer| answer.is_ok_and(|reply| reply.status == expected)) {
            self.longest = self.longest.max(Gap { time: since.elapsed(), failures });
            self.failing = None;
        } else {
            self.failing = Some((since, failures + 1));
        }
    }
}
