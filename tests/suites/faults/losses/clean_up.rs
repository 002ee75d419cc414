//! What comes of the job that gives up what nobody continues: the last column of the table.

use std::{fmt, time::Duration};

use zot_tests::{Cluster, cluster::Run, wait};

/// The job. One node at a time has it.
const JOB: &str = "reap-uploads";
/// How long an upload rests before it is given up; the job runs ten times as often.
pub(super) const EXPIRY: &str = "30s";
/// What the job says of a run that failed.
const FAILED: &str = "failed";
/// How long the job pauses at most after it failed, and what a run takes that waits in vain for a store.
const PAUSE_MAX: Duration = Duration::from_secs(30);
const FAILING_RUN: Duration = Duration::from_secs(12);
/// For how long nothing is to be heard of a job that rests: several times as long as it takes to run again.
const RESTS: Duration = Duration::from_secs(10);

/// What becomes of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CleanUp {
    /// It runs, on another node if its own is lost.
    Runs,
    /// It fails, and is tried again.
    Fails,
    /// Nobody may run it.
    Rests,
}

impl CleanUp {
    /// Waits until this is seen to become of the job, and says whether it was.
    pub(super) async fn is_seen(self, cluster: &Cluster) -> bool {
        let mut last = None;
        let answers = wait::within(wait::PATIENCE, async || {
            last = last_run(cluster).await;
            last.is_some()
        });
        let (true, Some(mut last)) = (answers.await, last) else { return false };
        let mut ended = 0;
        let two_runs = 2 * (PAUSE_MAX + FAILING_RUN) + wait::PATIENCE;
        let seen = wait::within(if self == Self::Rests { RESTS } else { two_runs }, async || {
            let Some(run) = last_run(cluster).await.filter(|run| *run != last) else { return false };
            let failed = run.result == FAILED;
            last = run;
            ended += 1;
            // What ended first may have begun before.
            ended > 1 && failed == (self == Self::Fails) || self == Self::Rests
        });
        seen.await != (self == Self::Rests)
    }
}

/// As it stands in the table.
impl fmt::Display for CleanUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runs => "goes on",
            Self::Fails => "fails, is tried again",
            Self::Rests => "rests",
        })
    }
}

async fn last_run(cluster: &Cluster) -> Option<Run> {
    cluster.status().await?.runs.remove(JOB)
}

/// Waits until the job has run for the first time.
pub(super) async fn has_run(cluster: &Cluster) {
    wait::until("the job runs", async || last_run(cluster).await.is_some_and(|run| run.result != FAILED)).await;
}
