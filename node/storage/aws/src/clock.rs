//! The time that requests are signed with: this machine's, put right by the service's own where the two are far apart.
//!
//! AWS refuses what was signed a quarter of an hour ago, or will be (DynamoDB: five minutes). A machine whose clock is wrong would be of no use
//! until somebody sets it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_smithy_async::time::TimeSource;
use aws_smithy_types::date_time::{DateTime, Format};

/// How far apart the clocks are before this machine's is not believed, in seconds: what is closer was not refused for it.
const APART_SECONDS_MIN: i64 = 60;

/// A clock that can be put right; a clone is the same.
#[derive(Debug, Clone)]
pub struct Clock {
    service: &'static str,
    /// How many seconds it is ahead of this machine's.
    ahead_seconds: Arc<AtomicI64>,
}

impl Clock {
    /// A clock for requests to a service, by its name.
    #[must_use]
    pub fn of(service: &'static str) -> Self {
        Self { service, ahead_seconds: Arc::default() }
    }

    /// How many seconds it is ahead of this machine's.
    #[must_use]
    pub fn ahead_seconds(&self) -> i64 {
        self.ahead_seconds.load(Ordering::Relaxed)
    }

    /// Puts it right by the `Date` of a refusal. Returns whether what was signed when it was `ahead` is worth signing again.
    #[must_use]
    pub fn put_right(&self, date: &str, ahead: i64) -> bool {
        let Ok(theirs) = DateTime::from_str(date, Format::HttpDate) else { return false };
        let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let right = theirs.secs() - ours.cast_signed();
        if (right - self.ahead_seconds()).abs() >= APART_SECONDS_MIN {
            let service = self.service;
            tracing::warn!(
                service,
                ahead_seconds = right,
                "the clock of {service} is not this machine's: requests are signed with its time"
            );
            self.ahead_seconds.store(right, Ordering::Relaxed);
        }
        (right - ahead).abs() >= APART_SECONDS_MIN
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        let (now, ahead) = (SystemTime::now(), self.ahead_seconds());
        let apart = Duration::from_secs(ahead.unsigned_abs());
        let there = if ahead < 0 { now.checked_sub(apart) } else { now.checked_add(apart) };
        there.unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(seconds_ahead: i64) -> String {
        let now = DateTime::from(SystemTime::now());
        DateTime::from_secs(now.secs() + seconds_ahead).fmt(Format::HttpDate).unwrap()
    }

    fn ahead(clock: &Clock) -> i64 {
        DateTime::from(clock.now()).secs() - DateTime::from(SystemTime::now()).secs()
    }

    #[test]
    fn a_clock_that_is_far_off_is_put_right_and_back_again() {
        let clock = Clock::of("a service");
        for far in [3600, -3600, 0] {
            let before = clock.ahead_seconds();
            assert!(clock.put_right(&date(far), before), "{far}");
            assert!(clock.put_right(&date(far), before), "{far}: for all that were signed before");
            assert!(!clock.put_right(&date(far), clock.ahead_seconds()), "{far}: nothing is gained by asking again");
            assert!((ahead(&clock) - far).abs() <= 2, "{far}: {}", ahead(&clock));
        }
    }

    #[test]
    fn small_differences_and_what_is_no_time_change_nothing() {
        let clock = Clock::of("a service");
        for date in [date(20), date(-20), String::new(), "yesterday".to_owned()] {
            assert!(!clock.put_right(&date, 0), "{date}");
        }
        assert!(ahead(&clock).abs() <= 1);
    }
}
