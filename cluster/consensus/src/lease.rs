//! Leases of the jobs of which the cluster runs one at a time.
//!
//! At no time do two nodes hold the same lease, provided that their clocks run equally fast up to a tenth: the holder counts from before it
//! asked, everybody else from after the grant was agreed on, and a tenth longer. A process that is paused, or whose machine is, may wake up after
//! its lease ended and not know yet. What a job changes must therefore be refused by the store when it comes with an older epoch than another
//! change did: [`Lease::epoch`] grows with each grant.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::{
    consensus::Consensus,
    error::Error,
    node::Node,
    state::{Command, Holder, Job, Outcome},
    wire::{Answer, Request},
};

/// Others wait for a lease's length and this part of it, in case their clocks run faster than the holder's.
const CLOCK_DRIFT_PARTS: u32 = 10;

/// The right to run a job, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: String,
    /// Greater than that of every earlier lease of the job.
    pub epoch: u64,
    /// When it ends: nothing may be begun after that.
    pub until: Instant,
    length: Duration,
    holder: Holder,
}

impl Lease {
    /// Whether it has not ended yet.
    pub fn is_valid(&self) -> bool {
        Instant::now() < self.until
    }
}

impl Consensus {
    /// Asks for the right to run a job, for a length of time. `None` if somebody has it.
    ///
    /// # Errors
    /// The cluster cannot agree; the lease may have been granted without anybody knowing, and ends by itself.
    pub async fn lease(&self, job: &str, length: Duration) -> Result<Option<Lease>, Error> {
        let holder = Holder { node: self.0.id, incarnation: self.0.incarnation, token: self.0.random.next() };
        let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let until = Instant::now() + length;
        let request = Request::Lease { job: job.to_owned(), holder: holder.clone(), length_ms };
        let epoch = match self.0.request(request).await? {
            Answer::Leased(epoch) => epoch,
            _ => None,
        };
        let lease = epoch.map(|epoch| Lease { job: job.to_owned(), epoch, until, length, holder });
        Ok(lease.filter(Lease::is_valid))
    }

    /// Keeps a lease for another length of time, under the same epoch. `None` if somebody else has it by now.
    ///
    /// # Errors
    /// The cluster cannot agree. The lease goes on until its end, and it may be tried again.
    pub async fn renew(&self, lease: &Lease) -> Result<Option<Lease>, Error> {
        let until = Instant::now() + lease.length;
        let (job, holder) = (lease.job.clone(), lease.holder.clone());
        let held = self.0.request(Request::Renew { job, epoch: lease.epoch, holder }).await?;
        Ok(matches!(held, Answer::Held(true)).then(|| Lease { until, ..lease.clone() }))
    }

    /// Gives a lease back, so that another node need not wait for its end. Nothing may be done under it any more.
    ///
    /// # Errors
    /// The cluster cannot agree; the lease ends by itself.
    pub async fn release(&self, lease: Lease) -> Result<(), Error> {
        let Lease { job, epoch, holder, .. } = lease;
        self.0.request(Request::Release { job, epoch, holder }).await.map(drop)
    }

    /// Notes for [`Consensus::status`] that a job ran to its end under an epoch. Returns whether it was noted: not if there is a newer epoch.
    ///
    /// # Errors
    /// The cluster cannot agree.
    pub async fn record_run(&self, job: &str, epoch: u64, result: &str) -> Result<bool, Error> {
        let request = Request::RecordRun { job: job.to_owned(), epoch, at_unix_ms: unix_ms(), result: result.to_owned() };
        Ok(matches!(self.0.request(request).await?, Answer::Held(true)))
    }
}

impl Node {
    /// Grants a job if nobody has it. Whether the lease before has ended is judged by this leader's clock; that nothing happened to it meanwhile
    /// is judged where the log is applied.
    pub(crate) async fn grant(&self, job: String, holder: Holder, length_ms: u64) -> Result<Answer, Error> {
        let known = self.applied.with(|agreed| agreed.jobs.get(&job).cloned()).unwrap_or_default();
        if known.is_held(known.turn.epoch, &holder) {
            // The same request, sent again because its answer was lost.
            return Ok(Answer::Leased(Some(known.turn.epoch)));
        }
        if !self.is_free(&job, &known, &holder) {
            return Ok(Answer::Leased(None));
        }
        match self.write(Command::Grant { job, turn: known.turn, holder, length_ms }).await? {
            Outcome::Granted(epoch) => Ok(Answer::Leased(Some(epoch))),
            _ => Ok(Answer::Leased(None)),
        }
    }

    fn is_free(&self, name: &str, job: &Job, asking: &Holder) -> bool {
        let Some(holder) = &job.holder else { return true };
        // Its directory is open in one process at a time: the run of the node that held the lease has ended.
        let ended_with_its_process = holder.node == asking.node && holder.incarnation != asking.incarnation;
        let length = Duration::from_millis(job.length_ms);
        ended_with_its_process || self.applied.since_renewal(name).is_some_and(|since| since > length + length / CLOCK_DRIFT_PARTS)
    }
}

/// Milliseconds since the Unix epoch.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
