//! Jobs in simulated time.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::*;

const EVERY: Every = Every { period: Duration::from_secs(100), run_max: Duration::from_secs(10) };

/// When a run began, and under which epoch.
type Begun = (Instant, Option<u64>);

/// What runs do, in their order, and when they began.
#[derive(Clone, Default)]
struct Diary {
    runs: Arc<Mutex<Vec<Begun>>>,
    at_once: Arc<AtomicU64>,
    most_at_once: Arc<AtomicU64>,
    script: Arc<Mutex<VecDeque<Act>>>,
}

enum Act {
    Take(Duration),
    Fail,
    Panic,
}

impl Diary {
    fn of(acts: impl IntoIterator<Item = Act>) -> Self {
        let diary = Self::default();
        diary.script.lock().extend(acts);
        diary
    }

    async fn run(&self, cx: &JobContext) -> Result<Report, BoxError> {
        self.runs.lock().push((Instant::now(), cx.epoch()));
        let act = self.script.lock().pop_front();
        match act {
            Some(Act::Take(time)) => {
                let running = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
                self.most_at_once.fetch_max(running, Ordering::Relaxed);
                sleep(time).await;
                self.at_once.fetch_sub(1, Ordering::Relaxed);
                Ok(Report::did("removed 3"))
            }
            Some(Act::Fail) => Err("out of luck".into()),
            Some(Act::Panic) => panic!("out of wits"),
            None => Ok(Report::nothing()),
        }
    }

    fn count(&self) -> usize {
        self.runs.lock().len()
    }

    async fn until(&self, count: usize) {
        while self.count() < count {
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The whole seconds between runs.
    fn gaps(&self) -> Vec<u64> {
        self.runs.lock().windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs()).collect()
    }
}

struct Everywhere(Diary);

impl Job for Everywhere {
    const NAME: &'static str = "everywhere";
    const SCOPE: Scope = Scope::EveryNode;

    async fn run(&self, cx: &JobContext) -> Result<Report, BoxError> {
        self.0.run(cx).await
    }
}

struct Once(Diary);

impl Job for Once {
    const NAME: &'static str = "once";
    const SCOPE: Scope = Scope::Leader;

    async fn run(&self, cx: &JobContext) -> Result<Report, BoxError> {
        self.0.run(cx).await
    }
}

/// A lease that several processes contend for.
#[derive(Debug, Default)]
struct Contest {
    epoch: AtomicU64,
    held: AtomicBool,
    lost: Notify,
    recorded: Mutex<Vec<String>>,
}

#[derive(Clone, Debug, Default)]
struct Contender(Arc<Contest>);

#[derive(Debug)]
struct Lease(Arc<Contest>, u64);

#[async_trait]
impl Roles for Contender {
    async fn take(&self, _: &str) -> Result<Option<Box<dyn Turn>>, BoxError> {
        if self.0.held.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        let epoch = self.0.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Some(Box::new(Lease(Arc::clone(&self.0), epoch))))
    }

    fn owns(&self, repository: &str) -> bool {
        repository == "mine"
    }
}

#[async_trait]
impl Turn for Lease {
    fn epoch(&self) -> u64 {
        self.1
    }

    async fn keep(&self) {
        self.0.lost.notified().await;
    }

    async fn record(&self, result: &str) {
        self.0.recorded.lock().push(format!("{} {result}", self.1));
    }

    async fn release(&self) {
        self.0.held.store(false, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_after_each_period_and_when_it_is_asked_to() {
    let (tasks, diary) = (Tasks::new(), Diary::default());
    let begun = Instant::now();
    let trigger = Scheduler::new(tasks.clone(), Arc::new(Alone)).start(Everywhere(diary.clone()), EVERY);
    diary.until(3).await;
    assert!(diary.runs.lock()[0].0 - begun <= Duration::from_secs(60));
    assert_eq!(diary.gaps(), [100, 100]);
    trigger.now();
    diary.until(4).await;
    assert_eq!(diary.gaps()[2], 0);
    assert_eq!(tasks.shutdown(Duration::from_secs(1)).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_job_does_not_overlap_itself() {
    let (tasks, diary) = (Tasks::new(), Diary::of([Act::Take(Duration::from_secs(5)), Act::Take(Duration::from_secs(5))]));
    let trigger = Scheduler::new(tasks.clone(), Arc::new(Alone)).start(Everywhere(diary.clone()), EVERY);
    trigger.now();
    diary.until(1).await;
    (0..10).for_each(|_| trigger.now());
    diary.until(2).await;
    assert_eq!(diary.gaps(), [5], "asked during a run, it runs once more after it");
    sleep(Duration::from_secs(50)).await;
    assert_eq!((diary.count(), diary.most_at_once.load(Ordering::Relaxed)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_panics_or_takes_too_long_is_tried_again() {
    let (tasks, diary) = (Tasks::new(), Diary::of([Act::Fail, Act::Panic, Act::Take(Duration::from_secs(3600)), Act::Fail]));
    Scheduler::new(tasks.clone(), Arc::new(Alone)).start(Everywhere(diary.clone()), EVERY).now();
    diary.until(6).await;
    assert_eq!(diary.gaps(), [5, 10, 30, 40, 100]);
    assert_eq!(tasks.panics(), 0, "a panic of a run is a failure of the run, not of the task");
}

#[tokio::test(start_paused = true)]
async fn one_process_of_many_runs_a_job_of_the_leader_and_another_takes_over() {
    let (contest, diaries) = (Contender::default(), [Diary::default(), Diary::default()]);
    let processes = diaries.clone().map(|diary| {
        let tasks = Tasks::new();
        Scheduler::new(tasks.clone(), Arc::new(contest.clone())).start(Once(diary), EVERY);
        tasks
    });
    sleep(Duration::from_secs(1000)).await;
    let (leader, other) = if diaries[0].count() > 0 { (0, 1) } else { (1, 0) };
    assert!(diaries[leader].count() >= 9 && diaries[other].count() == 0);
    assert_eq!(contest.0.recorded.lock()[0], "1 nothing to do");
    processes[leader].shutdown(Duration::from_secs(5)).await;
    diaries[other].until(1).await;
    assert_eq!(diaries[other].runs.lock()[0].1, Some(2), "under a new epoch");
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_when_its_lease_is_lost() {
    let (contest, diary) = (Contender::default(), Diary::of([Act::Take(Duration::from_secs(9))]));
    let tasks = Tasks::new();
    Scheduler::new(tasks.clone(), Arc::new(contest.clone())).start(Once(diary.clone()), EVERY).now();
    diary.until(1).await;
    contest.0.lost.notify_waiters();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(diary.at_once.load(Ordering::Relaxed), 1, "it was dropped before its end");
    assert!(contest.0.recorded.lock().is_empty());
}

#[tokio::test]
async fn a_run_knows_its_repositories() {
    let cx = JobContext { epoch: None, roles: Arc::new(Contender::default()), stop: CancellationToken::new() };
    assert!(cx.owns("mine") && !cx.owns("yours") && !cx.stop().is_cancelled());
}
