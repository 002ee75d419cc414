//! Wall clocks that are wrong: by minutes from the start, and set anew now and then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use zot_storage::WallClock;

use crate::{history::History, random::Random};

/// When simulations begin, in seconds since 1970.
const BEGIN_S: u64 = 1_767_225_600;
/// How far a clock is off at most, in milliseconds: two of them are an hour apart, which members of a cluster bear.
const OFF_MS_MAX: u64 = 30 * 60 * 1000;

/// The wall clock of a machine, over restarts of its process.
#[derive(Debug, Clone)]
pub(crate) struct Wall(Arc<AtomicI64>);

impl Wall {
    /// A clock that is wrong by chance.
    pub(crate) fn new(random: &Random) -> Self {
        let wall = Self(Arc::default());
        wall.set(random);
        wall
    }

    /// Sets it anew by chance, and tells how far it is ahead, in milliseconds.
    pub(crate) fn set(&self, random: &Random) -> i64 {
        let ahead_ms = random.within(0..2 * OFF_MS_MAX).cast_signed() - OFF_MS_MAX.cast_signed();
        self.0.store(ahead_ms, Ordering::Relaxed);
        ahead_ms
    }

    /// What shows it to a process.
    pub(crate) fn clock(&self, history: &History) -> WallClock {
        let (ahead_ms, history) = (Arc::clone(&self.0), history.clone());
        WallClock::of(move || {
            let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(BEGIN_S) + history.now();
            let ahead_ms = ahead_ms.load(Ordering::Relaxed);
            let apart = Duration::from_millis(ahead_ms.unsigned_abs());
            if ahead_ms < 0 { begin - apart } else { begin + apart }
        })
    }
}
