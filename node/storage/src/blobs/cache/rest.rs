//! A pause after the cache's disk failed: nothing is fetched onto it for a while.

use std::time::{Duration, Instant};

/// How long nothing is fetched after a failure. A full disk does not get room at once.
const REST: Duration = Duration::from_secs(60);

/// Whether, and until when, nothing is fetched.
#[derive(Debug, Default)]
pub(super) struct Rest {
    until: Option<Instant>,
}

impl Rest {
    /// Whether nothing is to be fetched now.
    pub(super) fn resting(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Begins a pause. Whether this is the first failure since the last one was over.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let first = !self.resting(now);
        self.until = Some(now + REST);
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_and_only_its_first_failure_is_news() {
        let (mut rest, now) = (Rest::default(), Instant::now());
        assert!(!rest.resting(now));
        assert!(rest.begin(now));
        assert!(!rest.begin(now));
        assert!(rest.resting(now));
        assert!(!rest.resting(now + REST));
        assert!(rest.begin(now + REST));
    }
}
