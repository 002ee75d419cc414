//! How many calls are under way at the same time: as many as DynamoDB answers in time.
//!
//! A service that has too much to do answers everybody too late: all wait for as long as they may, ask again, and nothing that it does is of
//! use to anybody. So calls wait here for their turn, which costs DynamoDB nothing, and how many are let in follows from what becomes of them:
//! one more for each round of answers that came soon, three tenths fewer after one that did not come, or that told of too many.
//!
//! Changes come before everything else. A push reads, and then changes: if reads came in turn with changes, all pushes of a crowd would be
//! under way all the time, and all would end together, when their clients have given up.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use crate::calls::Operation;

/// How many calls are let in at first.
const LIMIT_FIRST: f64 = 32.0;
/// How many are let in at least.
const LIMIT_MIN: f64 = 4.0;
/// How many are let in at most.
const LIMIT_MAX: f64 = 512.0;
/// What is left of the limit after a sign of too much.
const DECREASE: f64 = 0.7;

/// Who waits with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Before all others.
    Change,
    Read,
}

impl Rank {
    /// Where calls of an operation wait.
    pub(crate) fn of(operation: Operation) -> Self {
        match operation {
            Operation::CreateTable | Operation::DeleteItem | Operation::TransactWriteItems | Operation::UpdateItem => Self::Change,
            Operation::BatchGetItem | Operation::DescribeTable | Operation::GetItem | Operation::Query | Operation::Scan => Self::Read,
        }
    }
}

/// What a call says of how much DynamoDB has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It was answered.
    Answered,
    /// It was not answered in time, or refused for being one of too many.
    TooMuch,
}

/// Lets calls in.
#[derive(Debug)]
pub(crate) struct Admission {
    state: Arc<Mutex<State>>,
    /// An answer that comes sooner is no sign that there are enough.
    soon: Duration,
}

#[derive(Debug)]
struct State {
    limit: f64,
    under_way: usize,
    /// When the limit was last lowered: what began before says nothing of the limit since.
    lowered: Instant,
    changes: VecDeque<oneshot::Sender<Permit>>,
    reads: VecDeque<oneshot::Sender<Permit>>,
}

/// One call may be under way as long as this is there.
#[derive(Debug)]
pub(crate) struct Permit {
    state: Arc<Mutex<State>>,
    taken: bool,
}

impl Admission {
    /// Lets in the more the more calls are answered as soon as that.
    pub(crate) fn new(soon: Duration) -> Self {
        let (changes, reads) = Default::default();
        let state = State { limit: LIMIT_FIRST, under_way: 0, lowered: Instant::now(), changes, reads };
        Self { state: Arc::new(Mutex::new(state)), soon }
    }

    /// Waits until a call is let in; `None` if it is not before `deadline`.
    pub(crate) async fn enter(&self, rank: Rank, deadline: Instant) -> Option<Permit> {
        let (called, turn) = oneshot::channel();
        lock(&self.state).queue(rank).push_back(called);
        let_in(&self.state);
        timeout_at(deadline, turn).await.ok()?.ok()
    }

    /// Learns from what became of a call that has just ended, and was let in when it began.
    pub(crate) fn learn(&self, begun: Instant, sign: Sign) {
        lock(&self.state).learn(begun, sign, self.soon);
    }
}

impl State {
    fn queue(&mut self, rank: Rank) -> &mut VecDeque<oneshot::Sender<Permit>> {
        match rank {
            Rank::Change => &mut self.changes,
            Rank::Read => &mut self.reads,
        }
    }

    fn is_full(&self) -> bool {
        self.under_way as f64 + 1.0 > self.limit
    }

    fn learn(&mut self, begun: Instant, sign: Sign, soon: Duration) {
        match sign {
            // A limit that nobody comes near is not known to be too low.
            Sign::Answered if self.is_full() && begun.elapsed() <= soon => self.limit = (self.limit + 1.0 / self.limit).min(LIMIT_MAX),
            Sign::TooMuch if begun >= self.lowered => {
                self.limit = (self.limit * DECREASE).max(LIMIT_MIN);
                self.lowered = Instant::now();
            }
            _ => {}
        }
    }
}

/// Calls whoever's turn it is, and passes over those who have gone meanwhile.
fn let_in(state: &Arc<Mutex<State>>) {
    loop {
        let next = {
            let mut state = lock(state);
            if state.is_full() {
                return;
            }
            let Some(next) = state.changes.pop_front().or_else(|| state.reads.pop_front()) else { return };
            state.under_way += 1;
            next
        };
        if let Err(mut permit) = next.send(Permit { state: state.clone(), taken: true }) {
            // Not by its end, which would call the next from here, and so on: as deep as there are many who have gone.
            permit.taken = false;
            lock(state).under_way -= 1;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.taken {
            lock(&self.state).under_way -= 1;
            let_in(&self.state);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Every change to it is whole before anything can fail.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::join_all};

    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn limit(admission: &Admission) -> f64 {
        lock(&admission.state).limit
    }

    async fn enter_all(admission: &Admission, count: usize) -> Vec<Permit> {
        join_all((0..count).map(|_| admission.enter(Rank::Read, later()))).await.into_iter().map(Option::unwrap).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_let_in_in_time_is_told() {
        let admission = Admission::new(SOON);
        let permits = enter_all(&admission, LIMIT_FIRST as usize).await;
        assert!(admission.enter(Rank::Change, Instant::now() + SOON).await.is_none());
        drop(permits);
        assert!(admission.enter(Rank::Change, Instant::now() + SOON).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn changes_come_before_reads_and_who_went_away_is_passed_over() {
        let admission = Admission::new(SOON);
        let mut permits = enter_all(&admission, LIMIT_FIRST as usize).await;
        let mut read = Box::pin(admission.enter(Rank::Read, later()));
        let mut gone = Box::pin(admission.enter(Rank::Change, later()));
        let mut change = Box::pin(admission.enter(Rank::Change, later()));
        assert!([&mut read, &mut gone, &mut change].into_iter().all(|waiting| waiting.now_or_never().is_none()));
        drop(gone);
        permits.pop();
        assert!((&mut read).now_or_never().is_none());
        let changing = change.now_or_never().unwrap();
        drop(changing);
        assert!(read.now_or_never().unwrap().is_some());
        drop(permits);
        assert_eq!(lock(&admission.state).under_way, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_have_gone_the_next_is_called() {
        let admission = Admission::new(SOON);
        let permits = enter_all(&admission, LIMIT_FIRST as usize).await;
        for _ in 0..100_000 {
            assert!(admission.enter(Rank::Read, later()).now_or_never().is_none());
        }
        let waiting = admission.enter(Rank::Read, later());
        let (entered, ()) = tokio::join!(waiting, async { drop(permits) });
        assert!(entered.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn fewer_are_let_in_after_one_that_is_not_answered_and_more_after_many_that_are() {
        let admission = Admission::new(SOON);
        let learn = async |taking, sign| {
            let begun = Instant::now();
            tokio::time::advance(taking).await;
            admission.learn(begun, sign);
        };
        let crowd = enter_all(&admission, LIMIT_FIRST as usize).await;
        let begun = Instant::now();
        tokio::time::advance(SOON).await;
        // Those of one crowd say the same.
        crowd.iter().for_each(|_| admission.learn(begun, Sign::TooMuch));
        assert_eq!(limit(&admission), LIMIT_FIRST * DECREASE);
        drop(crowd);
        for _ in 0..20 {
            learn(SOON, Sign::TooMuch).await;
        }
        assert_eq!(limit(&admission), LIMIT_MIN);

        // It is not known to be too low while there are fewer, or while answers take long.
        learn(SOON, Sign::Answered).await;
        assert_eq!(limit(&admission), LIMIT_MIN);
        let _crowd = enter_all(&admission, LIMIT_MIN as usize).await;
        for (taking, expected) in [(2 * SOON, LIMIT_MIN), (SOON, LIMIT_MIN + 1.0 / LIMIT_MIN)] {
            learn(taking, Sign::Answered).await;
            assert_eq!(limit(&admission), expected);
        }
    }
}
