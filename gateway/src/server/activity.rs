//! What happens on a connection, and when it has waited too long. Requests only note times; one coarse timer per connection judges them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::ServerOptions;

/// Milliseconds since the connection was accepted, plus one: 0 stands for "never".
type Moment = u64;

/// What is known of one connection.
pub(super) struct Activity {
    accepted: Instant,
    /// Whether requests share the connection (HTTP/2): bytes may then come that start no request.
    shared: AtomicBool,
    in_flight: AtomicUsize,
    served: AtomicBool,
    idle_since: AtomicU64,
    head_since: AtomicU64,
    /// Responses under way, each with the moment since which its client has not asked for more.
    responses: Mutex<Vec<Arc<AtomicU64>>>,
}

/// What is to be done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again after this time at the latest.
    Wait(Duration),
    /// It has been idle long enough.
    Close,
    /// Its client stalls.
    Cut(&'static str),
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            accepted: Instant::now(),
            shared: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            served: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            responses: Mutex::default(),
        }
    }

    fn now(&self) -> Moment {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Requests will share this connection.
    pub(super) fn share(&self) {
        self.shared.store(true, Relaxed);
    }

    /// Bytes arrived.
    pub(super) fn received(&self) {
        if self.in_flight.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.now(), Relaxed);
        }
    }

    /// A request began.
    pub(super) fn began(&self) {
        self.in_flight.fetch_add(1, Relaxed);
        self.served.store(true, Relaxed);
    }

    /// A request is over, its response is handed over.
    pub(super) fn ended(&self) {
        self.head_since.store(0, Relaxed);
        self.idle_since.store(self.now(), Relaxed);
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Begins to watch a response of several pieces.
    pub(super) fn watch(&self) -> Arc<AtomicU64> {
        let waiting = Arc::new(AtomicU64::new(self.now()));
        self.responses.lock().push(Arc::clone(&waiting));
        waiting
    }

    /// A piece is handed over: from now on its client is waited for.
    pub(super) fn handed_over(&self, waiting: &AtomicU64) {
        waiting.store(self.now(), Relaxed);
    }

    /// Ends watching a response.
    pub(super) fn unwatch(&self, waiting: &Arc<AtomicU64>) {
        self.responses.lock().retain(|other| !Arc::ptr_eq(other, waiting));
    }

    /// Judges the connection.
    pub(super) fn verdict(&self, options: &ServerOptions) -> Verdict {
        self.verdict_at(self.now(), options)
    }

    fn verdict_at(&self, now: Moment, options: &ServerOptions) -> Verdict {
        let lasted = |since: Moment, limit: Duration| since != 0 && u128::from(now.saturating_sub(since)) >= limit.as_millis();
        if !self.served.load(Relaxed) && lasted(1, options.header_read_timeout) {
            return Verdict::Cut("no request came");
        }
        if self.in_flight.load(Relaxed) > 0 {
            let stalls = |waiting: &Arc<AtomicU64>| lasted(waiting.load(Relaxed), options.write_progress);
            if self.responses.lock().iter().any(stalls) {
                return Verdict::Cut("a response is not taken");
            }
        } else if !self.shared.load(Relaxed) && lasted(self.head_since.load(Relaxed), options.header_read_timeout) {
            return Verdict::Cut("the head of a request is not completed");
        } else if lasted(self.idle_since.load(Relaxed), options.keep_alive_timeout) {
            return Verdict::Close;
        }
        Verdict::Wait(shortest(options))
    }
}

/// Nothing that begins now can have lasted too long before this time is over.
fn shortest(options: &ServerOptions) -> Duration {
    options.header_read_timeout.min(options.keep_alive_timeout).min(options.write_progress).max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ServerOptions {
        ServerOptions {
            header_read_timeout: Duration::from_millis(10),
            keep_alive_timeout: Duration::from_millis(100),
            write_progress: Duration::from_millis(50),
            ..ServerOptions::default()
        }
    }

    const WAIT: Verdict = Verdict::Wait(Duration::from_millis(10));

    fn at(activity: &Activity, moment: Moment) -> Verdict {
        activity.verdict_at(moment, &options())
    }

    #[test]
    fn a_connection_must_bring_a_request_soon() {
        let activity = Activity::new();
        assert_eq!(at(&activity, 10), WAIT);
        assert_eq!(at(&activity, 11), Verdict::Cut("no request came"));
        activity.received();
        assert!(matches!(at(&activity, 20), Verdict::Cut(_)));
    }

    #[test]
    fn a_request_may_take_its_time() {
        let activity = Activity::new();
        activity.began();
        assert_eq!(at(&activity, 1_000_000), WAIT);
    }

    #[test]
    fn an_idle_connection_is_closed_in_peace() {
        let activity = Activity::new();
        activity.began();
        activity.ended();
        let idle = activity.idle_since.load(Relaxed);
        assert_eq!(at(&activity, idle + 99), WAIT);
        assert_eq!(at(&activity, idle + 100), Verdict::Close);
    }

    #[test]
    fn a_head_that_does_not_end_is_cut() {
        let activity = Activity::new();
        activity.began();
        activity.ended();
        activity.received();
        let head = activity.head_since.load(Relaxed);
        assert_eq!(at(&activity, head + 9), WAIT);
        assert!(matches!(at(&activity, head + 10), Verdict::Cut(_)));
        activity.share();
        assert_eq!(at(&activity, head + 10), WAIT);
    }

    #[test]
    fn a_response_that_is_not_taken_is_cut() {
        let activity = Activity::new();
        activity.began();
        let waiting = activity.watch();
        let since = waiting.load(Relaxed);
        assert_eq!(at(&activity, since + 49), WAIT);
        assert!(matches!(at(&activity, since + 50), Verdict::Cut(_)));
        waiting.store(0, Relaxed);
        assert_eq!(at(&activity, since + 1000), WAIT);
        activity.handed_over(&waiting);
        assert!(matches!(at(&activity, since + 1000), Verdict::Cut(_)));
        activity.unwatch(&waiting);
        assert_eq!(at(&activity, since + 1000), WAIT);
    }
}
