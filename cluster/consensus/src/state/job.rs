//! The lease of a job of which the cluster runs one at a time.

use serde::{Deserialize, Serialize};

use super::{Holder, Outcome, Turn};

/// A job's lease and its last run. Time is not in here: each node measures a lease from when it applied the grant or renewal, which is after the
/// holder began to count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    #[serde(default)]
    pub(crate) turn: Turn,
    /// Nobody after a release, and before the first grant.
    #[serde(default)]
    pub(crate) holder: Option<Holder>,
    #[serde(default)]
    pub(crate) length_ms: u64,
    #[serde(default)]
    pub(crate) last_run_unix_ms: Option<u64>,
    #[serde(default)]
    pub(crate) last_result: Option<String>,
}

impl Job {
    /// Whether the lease is one's own under an epoch.
    pub(crate) fn is_held(&self, epoch: u64, holder: &Holder) -> bool {
        self.turn.epoch == epoch && self.holder.as_ref() == Some(holder)
    }

    pub(super) fn grant(&mut self, turn: Turn, holder: Holder, length_ms: u64) -> Outcome {
        if self.turn != turn {
            return Outcome::Refused;
        }
        self.turn = Turn { epoch: turn.epoch + 1, renewals: 0 };
        self.holder = Some(holder);
        self.length_ms = length_ms;
        Outcome::Granted(self.turn.epoch)
    }

    pub(super) fn renew(&mut self, epoch: u64, holder: &Holder) -> Outcome {
        self.if_held(epoch, holder, |job| job.turn.renewals += 1)
    }

    pub(super) fn release(&mut self, epoch: u64, holder: &Holder) -> Outcome {
        self.if_held(epoch, holder, |job| {
            job.holder = None;
            job.turn.renewals += 1;
        })
    }

    pub(super) fn record_run(&mut self, epoch: u64, at_unix_ms: u64, result: String) -> Outcome {
        if self.turn.epoch != epoch {
            return Outcome::Refused;
        }
        self.last_run_unix_ms = Some(at_unix_ms);
        self.last_result = Some(result);
        Outcome::Done
    }

    fn if_held(&mut self, epoch: u64, holder: &Holder, change: impl FnOnce(&mut Self)) -> Outcome {
        if !self.is_held(epoch, holder) {
            return Outcome::Refused;
        }
        change(self);
        Outcome::Done
    }
}
