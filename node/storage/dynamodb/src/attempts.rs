//! Trying again: after a pause that grows and differs for everybody, for a bounded time, and never so often that a DynamoDB which has too much
//! to do gets several times as much.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use tokio::time::Instant;
use zot_storage::{Error, Result};

use crate::{
    admission::{Rank, Sign},
    calls::Operation,
    connection::Connection,
    failure::{Failure, Kind},
    random::random,
};

/// When a client should try again after metadata was not available.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The first pause, which each further one doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(25);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What all calls together may spend on trying again, in tokens.
const TOKENS_MAX: u32 = 500;
/// What trying again costs. A call that succeeds gives one token back: in the long run there is one further attempt for five calls that succeed.
const TOKENS_EACH: u32 = 5;

/// What all calls together may spend on trying again.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU32);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(TOKENS_MAX))
    }
}

impl Budget {
    fn spend(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| tokens.checked_sub(TOKENS_EACH)).is_ok()
    }

    fn refund(&self) {
        let refunded = |tokens: u32| (tokens < TOKENS_MAX).then_some(tokens + 1);
        // Fails only where nothing was spent.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, refunded).ok();
    }
}

/// The attempts of one call.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    connection: &'a Connection,
    operation: Operation,
    give_up: Instant,
    failed: u32,
    unsure: bool,
    /// When the last one was made.
    begun: Instant,
    /// How far the clock was ahead when the last one was signed, in seconds.
    signed_ahead: i64,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(connection: &'a Connection, operation: Operation) -> Self {
        let begun = Instant::now();
        let give_up = begun + connection.options.call_timeout;
        Self { connection, operation, give_up, failed: 0, unsure: false, begun, signed_ahead: 0 }
    }

    /// Makes an attempt when its turn has come, or fails if that is not in time.
    pub(crate) async fn make<T, E>(
        &mut self,
        attempt: impl Future<Output = std::result::Result<T, E>>,
    ) -> Result<std::result::Result<T, E>> {
        let connection = self.connection;
        let Some(_permit) = connection.admission.enter(Rank::of(self.operation), self.give_up).await else {
            return Err(unavailable(Failure::Crowded));
        };
        connection.counters.count(self.operation);
        self.signed_ahead = connection.clock.ahead_seconds();
        self.begun = Instant::now();
        let made = attempt.await;
        if made.is_ok() {
            connection.budget.refund();
            connection.admission.learn(self.begun, Sign::Answered);
        }
        Ok(made)
    }

    /// Whether an attempt failed of which it is not known if it was heard. It may still be heard, as long as it lasts.
    pub(crate) fn unsure(&self) -> bool {
        self.unsure
    }

    /// Waits for the next attempt, if there is to be one.
    pub(crate) async fn failed<E>(&mut self, error: SdkError<E>) -> Result<()>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.failed_as(Kind::of(&error), error).await
    }

    /// Waits for the next attempt, if one is to be made after a failure that is of this kind unless it was for its time.
    pub(crate) async fn failed_as<E>(&mut self, kind: Kind, error: SdkError<E>) -> Result<()>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let kind = Kind::of_time(&error, &self.connection.clock, self.signed_ahead).unwrap_or(kind);
        self.wait(kind, error.into()).await
    }

    /// Waits for the next attempt, if one is to be made after a failure of this kind.
    pub(crate) async fn wait(&mut self, kind: Kind, failure: Failure) -> Result<()> {
        self.unsure |= kind == Kind::Unsure;
        if matches!(kind, Kind::Unsure | Kind::Throttled) {
            self.connection.admission.learn(self.begun, Sign::TooMuch);
        }
        if kind == Kind::Refused {
            return Err(Error::remote(format!("call {:?} of DynamoDB", self.operation), failure));
        }
        let pause = pause(self.failed);
        self.failed += 1;
        // Whoever waits for others at the same row asks nothing of DynamoDB that others would get. A clock is put right once.
        let affordable = matches!(kind, Kind::Contended | Kind::Untimely) || self.connection.budget.spend();
        if !affordable || Instant::now() + pause > self.give_up {
            return Err(unavailable(failure));
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// The error for what DynamoDB does not do now.
pub(crate) fn unavailable(failure: Failure) -> Error {
    Error::unavailable("metadata", RETRY_AFTER, failure)
}

/// The pause after `failed` failures and one more: between half of it and all of it, so that those who failed together do not return together.
fn pause(failed: u32) -> Duration {
    let whole = PAUSE_FIRST.saturating_mul(1 << failed.min(16)).min(PAUSE_MAX);
    let half = whole / 2;
    let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
    half + Duration::from_micros(random() % micros.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit() {
        for failed in 0..100 {
            let whole = PAUSE_FIRST.saturating_mul(1 << failed.min(10)).min(PAUSE_MAX);
            let pause = pause(failed);
            assert!(pause >= whole / 2 && pause <= whole, "{failed}: {pause:?}");
        }
    }

    #[test]
    fn what_is_spent_on_trying_again_is_bounded_and_comes_back() {
        let budget = Budget::default();
        let spent = (0..1000).filter(|_| budget.spend()).count();
        assert_eq!(spent, (TOKENS_MAX / TOKENS_EACH) as usize);
        (0..TOKENS_EACH).for_each(|_| budget.refund());
        assert_eq!((budget.spend(), budget.spend()), (true, false));
        (0..2 * TOKENS_MAX).for_each(|_| budget.refund());
        assert_eq!(budget.0.load(Ordering::Relaxed), TOKENS_MAX);
    }
}
