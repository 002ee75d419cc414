//! Numbers that look random and follow from a seed, shared by everything in one simulation.

use std::{ops::Range, sync::Arc, time::Duration};

use parking_lot::Mutex;

/// The step of SplitMix64, an odd number without pattern.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of numbers; clones draw from the same one.
#[derive(Debug, Clone)]
pub(crate) struct Random(Arc<Mutex<u64>>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    /// A sequence of one's own.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.next())
    }

    pub(crate) fn next(&self) -> u64 {
        let mut state = self.0.lock();
        *state = state.wrapping_add(STEP);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of `range`.
    pub(crate) fn within(&self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// Whether something happens that happens once in `times`.
    pub(crate) fn once_in(&self, times: u64) -> bool {
        self.within(0..times) == 0
    }

    /// A place of a list of that length.
    pub(crate) fn place(&self, length: usize) -> usize {
        (self.next() % length as u64) as usize
    }

    /// A time of `range` milliseconds.
    pub(crate) fn milliseconds(&self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }
}
