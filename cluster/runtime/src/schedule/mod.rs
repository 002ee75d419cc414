//! Background jobs: run by period and by signal, one run of a job at a time, in this process or in the whole cluster.

mod log;
mod roles;
mod runner;

use std::{error::Error, fmt, future::Future, sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;
pub use roles::{Alone, Roles, Turn};
use runner::Runner;

/// Why a run failed.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Where a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On one node of the cluster, under a lease that is kept between runs.
    Leader,
    /// On every node, each for the repositories that it owns: see [`JobContext::owns`].
    OwnedRepositories,
    /// On every node, for what is that node's own.
    EveryNode,
}

/// Something that is to be put in order now and then.
///
/// # Contract
/// - A run takes no input and may be repeated: it looks at what there is and does what is missing.
/// - It does not try again by itself: the next run does.
/// - It may be dropped wherever it waits: when the process stops, when it takes too long, when its lease is lost.
/// - Under [`Scope::Leader`], a process that was stopped may wake up in the middle of a run that is no longer its own, and stores know nothing of
///   leases: what a run changes names the versions of the rows and sessions that it was decided from, and is refused if they are others by then.
/// - Under [`Scope::OwnedRepositories`], a run asks [`JobContext::owns`] of each repository right before it turns to it: members may come and go in
///   the middle of a run. Two may still be at one repository for as long as one of them has not heard of the change.
pub trait Job: Send + Sync + 'static {
    /// What it is called in logs, in the status of the cluster, and as a task.
    const NAME: &'static str;
    /// Where it runs.
    const SCOPE: Scope;

    /// Runs once.
    fn run(&self, cx: &JobContext) -> impl Future<Output = Result<Report, BoxError>> + Send;
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(Option<String>);

impl Report {
    /// There was nothing to do.
    pub fn nothing() -> Self {
        Self(None)
    }

    /// Something was done, to be told in a few words of the past tense.
    pub fn did(what: impl Into<String>) -> Self {
        Self(Some(what.into()))
    }

    /// What was done, if anything.
    pub fn what(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what().unwrap_or("nothing to do"))
    }
}

/// What a run may know.
#[derive(Clone, Debug)]
pub struct JobContext {
    epoch: Option<u64>,
    roles: Arc<dyn Roles>,
    stop: CancellationToken,
}

impl JobContext {
    /// The epoch of the lease that it runs under, which logs and the status of the cluster tell runs apart by; `None` if it is not a job of the
    /// leader.
    pub fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// Whether this process owns a repository at this moment.
    pub fn owns(&self, repository: &str) -> bool {
        self.roles.owns(repository)
    }

    /// Is cancelled when the process stops; for work that is not dropped with the run, on threads of its own.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }
}

/// When a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every {
    /// From the end of a run to the beginning of the next.
    pub period: Duration,
    /// A run that takes longer has failed.
    pub run_max: Duration,
}

/// Wakes a job before its time.
#[derive(Clone, Debug, Default)]
pub struct Trigger(Arc<Notify>);

impl Trigger {
    /// Lets the job run at once, or again after the present run.
    pub fn now(&self) {
        self.0.notify_one();
    }
}

/// Starts jobs.
#[derive(Clone)]
pub struct Scheduler {
    tasks: Tasks,
    roles: Arc<dyn Roles>,
}

impl Scheduler {
    /// Runs jobs among `tasks`, until these are stopped.
    pub fn new(tasks: Tasks, roles: Arc<dyn Roles>) -> Self {
        Self { tasks, roles }
    }

    /// Starts a job; its first run comes after a random part of its period, so that not all nodes run it at once.
    pub fn start<J: Job>(&self, job: J, every: Every) -> Trigger {
        let trigger = Trigger::default();
        let runner = Runner::new(job, every, trigger.clone(), Arc::clone(&self.roles), self.tasks.stop());
        self.tasks.spawn(J::NAME, runner.run());
        trigger
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("roles", &self.roles).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
