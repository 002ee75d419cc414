//! How long things may take, and how often they are tried.

use std::time::Duration;

use zot_config::redis::Redis;

/// How long connecting may take, all servers of a list together, unless `dial_timeout` says otherwise.
const DIAL: Duration = Duration::from_secs(2);
/// How long an answer may take unless `read_timeout` and `write_timeout` say otherwise.
const ANSWER: Duration = Duration::from_secs(2);
/// The longest that any timeout may be: more would hold requests for longer than clients wait.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// The first pause after connecting failed, unless `min_retry_backoff` says otherwise.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// The longest pause after connecting failed, unless `max_retry_backoff` says otherwise.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long things may take, and how often they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Connecting, whatever the number of servers.
    pub(crate) dial: Duration,
    /// One answer.
    pub(crate) answer: Duration,
    /// How often a command is sent at most.
    pub(crate) attempts: u32,
    /// The first pause after connecting failed.
    pub(crate) pause_min: Duration,
    /// The longest pause after connecting failed.
    pub(crate) pause_max: Duration,
}

impl Limits {
    pub(crate) fn of(settings: &Redis) -> Self {
        let set = |time: Option<Duration>| time.filter(|time| !time.is_zero());
        let answer = set(settings.read_timeout).max(set(settings.write_timeout)).unwrap_or(ANSWER);
        let pause_min = set(settings.min_retry_backoff).unwrap_or(PAUSE_MIN).min(TIMEOUT_MAX);
        Self {
            dial: set(settings.dial_timeout).unwrap_or(DIAL).min(TIMEOUT_MAX),
            answer: answer.min(TIMEOUT_MAX),
            attempts: if settings.max_retries.is_some_and(|retries| retries < 0) { 1 } else { 2 },
            pause_min,
            pause_max: set(settings.max_retry_backoff).unwrap_or(PAUSE_MAX).clamp(pause_min, TIMEOUT_MAX),
        }
    }

    /// A whole command: waiting for another one that is connecting, connecting, and being answered.
    pub(crate) fn command(&self) -> Duration {
        2 * self.dial + self.answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_nothing_are_the_defaults() {
        let zero = Redis { dial_timeout: Some(Duration::ZERO), max_retries: Some(0), ..Redis::default() };
        assert_eq!(Limits::of(&zero), Limits::of(&Redis::default()));
        assert_eq!(Limits::of(&zero).attempts, 2);
    }

    #[test]
    fn nothing_takes_for_ever() {
        let long = Some(Duration::from_secs(3600));
        let limits = Limits::of(&Redis { dial_timeout: long, read_timeout: long, min_retry_backoff: long, ..Redis::default() });
        assert_eq!([limits.dial, limits.answer, limits.pause_min, limits.pause_max], [TIMEOUT_MAX; 4]);
    }
}
