//! The life of one job: its pauses, its runs, and the lease that it runs under.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use tokio::{
    select,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{BoxError, Every, Job, JobContext, Report, Roles, Scope, Trigger, Turn, log};
use crate::telemetry::panic_text;

/// The first run comes at most this long after the start.
const FIRST_MAX: Duration = Duration::from_secs(60);

/// How long after a first failure the job runs again; after each further one it takes twice as long, up to its period, or this where that is shorter.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// How long to wait before a job that another node has, or that nobody could be asked for, is tried for again.
const STANDBY: Duration = Duration::from_secs(5);

/// How long giving a lease back, or noting a run, may keep a process from stopping.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// A run that failed by a fault of its own.
#[derive(Debug, thiserror::Error)]
#[error("it panicked: {0}")]
pub(super) struct Panicked(String);

pub(super) struct Runner<J> {
    job: J,
    every: Every,
    trigger: Trigger,
    roles: Arc<dyn Roles>,
    stop: CancellationToken,
}

impl<J: Job> Runner<J> {
    pub(super) fn new(job: J, every: Every, trigger: Trigger, roles: Arc<dyn Roles>, stop: CancellationToken) -> Self {
        Self { job, every, trigger, roles, stop }
    }

    /// Runs until the tasks are stopped.
    pub(super) async fn run(self) {
        let stop = self.stop.clone();
        match J::SCOPE {
            Scope::Leader => self.lead().await,
            Scope::OwnedRepositories | Scope::EveryNode => {
                stop.run_until_cancelled(self.rounds(None)).await;
            }
        }
    }

    /// Runs whenever the job is this process's.
    async fn lead(&self) {
        while let Some(turn) = self.stop.run_until_cancelled(self.take()).await {
            tracing::debug!(job = J::NAME, epoch = turn.epoch(), "{} is this node's to run", J::NAME);
            select! {
                () = self.stop.cancelled() => {
                    drop(timeout(FAREWELL_MAX, turn.release()).await);
                    return;
                }
                // The run in progress is dropped with its rounds.
                () = turn.keep() => tracing::info!(job = J::NAME, epoch = turn.epoch(), "{} is no longer this node's to run", J::NAME),
                () = self.rounds(Some(&*turn)) => {}
            }
        }
    }

    async fn take(&self) -> Box<dyn Turn> {
        loop {
            match self.roles.take(J::NAME).await {
                Ok(Some(turn)) => return turn,
                Ok(None) => {}
                Err(error) => tracing::debug!(job = J::NAME, error = %crate::telemetry::chain(&*error), "could not ask for {}", J::NAME),
            }
            sleep(STANDBY.mul_f64(0.5 + random_part() / 2.0)).await;
        }
    }

    /// Runs again and again.
    async fn rounds(&self, turn: Option<&dyn Turn>) {
        let cx = JobContext { epoch: turn.map(Turn::epoch), roles: Arc::clone(&self.roles), stop: self.stop.clone() };
        let mut pause = self.every.period.min(FIRST_MAX).mul_f64(random_part());
        let mut failures = 0;
        loop {
            select! {
                () = sleep(pause) => {}
                () = self.trigger.0.notified() => {}
            }
            let begun = Instant::now();
            let result = self.run_once(&cx).await;
            match &result {
                Ok(report) => {
                    (failures, pause) = (0, self.every.period);
                    log::done(J::NAME, cx.epoch(), report, begun.elapsed());
                }
                Err(error) => {
                    pause = again(failures, self.every.period);
                    failures += 1;
                    log::failed(J::NAME, cx.epoch(), error, failures, pause);
                }
            }
            if let Some(turn) = turn {
                let result = result.map_or_else(|_| "failed".to_owned(), |report| report.to_string());
                drop(timeout(FAREWELL_MAX, turn.record(&result)).await);
            }
        }
    }

    /// A run that panics or takes too long has failed.
    async fn run_once(&self, cx: &JobContext) -> Result<Report, BoxError> {
        let run = AssertUnwindSafe(self.job.run(cx)).catch_unwind();
        match timeout(self.every.run_max, run).await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(Box::new(Panicked(panic_text(&*panic).to_owned()))),
            Err(_) => Err(format!("it took more than {:?}", self.every.run_max).into()),
        }
    }
}

/// When a job that failed this often before runs again.
fn again(failures: u32, period: Duration) -> Duration {
    let (first, last) = AGAIN;
    first.saturating_mul(2_u32.saturating_pow(failures)).min(last.max(period))
}

/// A random number from 0 to 1.
fn random_part() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_fail_are_tried_again_ever_later_up_to_their_period() {
        let seconds = |period: u64| -> Vec<u64> {
            [0, 1, 2, 5, 30, 60].map(|failures| again(failures, Duration::from_secs(period)).as_secs()).into()
        };
        assert_eq!(seconds(3600), [5, 10, 20, 160, 3600, 3600]);
        assert_eq!(seconds(1), [5, 10, 20, 30, 30, 30]);
    }
}
