//! No two processes hold one job at a time, and each grant has a greater epoch than all before.

use std::collections::BTreeMap;

use crate::history::History;

/// The leases of one job, as their holders see them.
#[derive(Default)]
pub(crate) struct Leases {
    /// Who had each epoch, by number and run of the process.
    holders: BTreeMap<u64, (usize, u64)>,
}

impl Leases {
    /// Looks at all processes that run at one time: who they are, and the epoch of the lease that they hold.
    pub(crate) fn look(&mut self, held: &[((usize, u64), u64)], history: &History) {
        if held.len() > 1 {
            history.violate(format_args!("{} processes hold one job: {held:?}", held.len()));
        }
        for (holder, epoch) in held {
            if self.holders.range(epoch + 1..).next().is_some() && self.holders.get(epoch) != Some(holder) {
                history.violate(format_args!("epoch {epoch} of a job was granted after a later one"));
            }
            if self.holders.insert(*epoch, *holder).is_some_and(|before| before != *holder) {
                history.violate(format_args!("epoch {epoch} of a job was granted twice"));
            }
        }
    }
}
