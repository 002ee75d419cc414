//! Jobs in simulated time.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::*;
use crate::telemetry::{LogLevel, tests::TestLog};

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

    fn owns(&self, _: &str) -> bool {
        false
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

const REPOSITORIES: [&str; 4] = ["a", "b", "c", "d"];

/// What a view places on whom, and what was done for it: repositories and processes by their numbers.
#[derive(Debug, Default)]
struct Placed {
    owners: Mutex<BTreeMap<&'static str, usize>>,
    done: Mutex<Vec<(&'static str, usize)>>,
}

impl Placed {
    /// Places the repositories, in their order, on these processes.
    fn place(&self, owners: [usize; 4]) {
        *self.owners.lock() = REPOSITORIES.into_iter().zip(owners).collect();
    }

    /// By whom repositories were done since this was asked last.
    fn done(&self) -> BTreeSet<(&'static str, usize)> {
        std::mem::take(&mut *self.done.lock()).into_iter().collect()
    }
}

/// One of two processes among which repositories are placed.
#[derive(Clone, Debug)]
struct Process(usize, Arc<Placed>);

#[async_trait]
impl Roles for Process {
    async fn take(&self, _: &str) -> Result<Option<Box<dyn Turn>>, BoxError> {
        Ok(None)
    }

    fn owns(&self, repository: &str) -> bool {
        self.1.owners.lock().get(repository) == Some(&self.0)
    }
}

struct EachRepository(Process);

impl Job for EachRepository {
    const NAME: &'static str = "each-repository";
    const SCOPE: Scope = Scope::OwnedRepositories;

    async fn run(&self, cx: &JobContext) -> Result<Report, BoxError> {
        let Process(number, placed) = &self.0;
        for repository in REPOSITORIES {
            if cx.owns(repository) {
                placed.done.lock().push((repository, *number));
                sleep(Duration::from_secs(1)).await;
            }
        }
        Ok(Report::nothing())
    }
}

/// Two processes, and a way to have each run the job at once.
fn two_processes(placed: &Arc<Placed>) -> [Trigger; 2] {
    [0, 1].map(|number| {
        let process = Process(number, Arc::clone(placed));
        Scheduler::new(Tasks::new(), Arc::new(process.clone())).start(EachRepository(process), EVERY)
    })
}

#[tokio::test(start_paused = true)]
async fn each_repository_is_done_by_its_owner_alone_wherever_it_moves() {
    let placed = Arc::<Placed>::default();
    placed.place([0, 0, 1, 1]);
    two_processes(&placed);
    sleep(Duration::from_secs(250)).await;
    assert_eq!(placed.done(), BTreeSet::from([("a", 0), ("b", 0), ("c", 1), ("d", 1)]));
    placed.place([0, 1, 0, 1]);
    sleep(Duration::from_secs(250)).await;
    assert_eq!(placed.done(), BTreeSet::from([("a", 0), ("b", 1), ("c", 0), ("d", 1)]));
    placed.place([1, 1, 1, 1]);
    sleep(Duration::from_secs(250)).await;
    assert_eq!(placed.done(), BTreeSet::from(REPOSITORIES.map(|repository| (repository, 1))));
}

#[tokio::test(start_paused = true)]
async fn a_run_turns_to_no_repository_that_has_moved_away_meanwhile() {
    let placed = Arc::<Placed>::default();
    placed.place([0, 0, 0, 0]);
    let [first, second] = two_processes(&placed);
    first.now();
    sleep(Duration::from_millis(1500)).await;
    placed.place([1, 1, 1, 1]);
    second.now();
    sleep(Duration::from_secs(10)).await;
    let by = |process: usize, done: &BTreeSet<(&'static str, usize)>| done.iter().filter(|(_, by)| *by == process).count();
    let done = placed.done();
    assert_eq!((by(0, &done), by(1, &done)), (2, 4), "{done:?}");
}

#[test]
fn the_line_of_a_run_names_the_epoch_of_its_lease() {
    let log = TestLog::of(LogLevel::Info, |_| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let acts = || [Act::Take(Duration::from_secs(1)), Act::Fail];
            let (once, everywhere) = (Diary::of(acts()), Diary::of(acts()));
            let scheduler = Scheduler::new(Tasks::new(), Arc::new(Contender::default()));
            scheduler.start(Once(once.clone()), EVERY);
            scheduler.start(Everywhere(everywhere.clone()), EVERY);
            tokio::join!(once.until(3), everywhere.until(3));
        });
    });
    let lines = log.lines();
    let told = |job: &str| -> Vec<(&Value, &Value)> {
        lines.iter().filter(|line| line["job"] == job).map(|line| (&line["message"], &line["epoch"])).collect()
    };
    assert_eq!(told("once"), [(&"once: removed 3".into(), &1.into()), (&"once failed".into(), &1.into())]);
    assert_eq!(told("everywhere"), [(&"everywhere: removed 3".into(), &Value::Null), (&"everywhere failed".into(), &Value::Null)]);
}

#[tokio::test]
async fn a_run_knows_whether_the_process_stops() {
    let stop = CancellationToken::new();
    let cx = JobContext { epoch: None, roles: Arc::new(Alone), stop: stop.clone() };
    assert!(!cx.stop().is_cancelled());
    stop.cancel();
    assert!(cx.stop().is_cancelled());
}
