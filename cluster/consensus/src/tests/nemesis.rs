//! Five nodes under a nemesis that cuts, delays, loses, kills and starts again at random, and what must be true of everything they saw.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use zot_cluster::Member;

use super::network::{Cluster, address, all_up};
use crate::Consensus;

const NODES: usize = 5;
const STEPS: usize = 30;
const LENGTH: Duration = Duration::from_secs(2);

/// The same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// That a node held the job under an epoch, from when to when.
#[derive(Debug, Clone)]
struct Hold {
    node: usize,
    epoch: u64,
    from: Instant,
    to: Instant,
}

#[derive(Debug, Default)]
struct Seen {
    holds: Vec<Hold>,
    /// The members of each view, as the first node said that saw it.
    views: BTreeMap<u64, Vec<Member>>,
}

type History = Arc<Mutex<Seen>>;

/// Takes the job whenever it can, keeps it for a while, and gives it back or forgets it.
async fn work(node: usize, consensus: Consensus, history: History) {
    loop {
        sleep(Duration::from_millis(50 * node as u64)).await;
        let Ok(Some(mut lease)) = consensus.lease("sweep", LENGTH).await else { continue };
        let index = {
            let mut seen = history.lock();
            seen.holds.push(Hold { node, epoch: lease.epoch, from: Instant::now(), to: lease.until });
            seen.holds.len() - 1
        };
        for _ in 0..lease.epoch % 4 {
            sleep(LENGTH / 3).await;
            if let Ok(Some(renewed)) = consensus.renew(&lease).await {
                lease = renewed;
                history.lock().holds[index].to = lease.until;
            }
        }
        if lease.is_valid() && lease.epoch.is_multiple_of(2) {
            history.lock().holds[index].to = Instant::now();
            drop(consensus.release(lease).await);
        }
    }
}

/// Every view that a node shows is newer than the one before and the same as any other node's of that number.
async fn watch(consensus: Consensus, history: History) {
    let mut views = consensus.views();
    let mut last = 0;
    while views.changed().await.is_ok() {
        let Some(view) = views.borrow_and_update().clone() else { continue };
        assert!(view.number >= last, "a view went back");
        last = view.number;
        let mut seen = history.lock();
        let known = seen.views.entry(view.number).or_insert_with(|| view.members.clone());
        assert_eq!(*known, view.members, "two views of number {last}");
    }
}

struct Run {
    cluster: Cluster,
    history: History,
    tasks: HashMap<usize, [JoinHandle<()>; 2]>,
    dice: Dice,
}

impl Run {
    fn employ(&mut self, node: usize) {
        let consensus = self.cluster.node(node).clone();
        let worker = tokio::spawn(work(node, consensus.clone(), Arc::clone(&self.history)));
        let watcher = tokio::spawn(watch(consensus, Arc::clone(&self.history)));
        self.tasks.insert(node, [worker, watcher]);
    }

    async fn kill(&mut self, node: usize) {
        let [worker, watcher] = self.tasks.remove(&node).unwrap();
        worker.abort();
        watcher.abort();
        for task in [worker, watcher] {
            assert!(task.await.is_err_and(|error| error.is_cancelled()), "what watches n{node} failed");
        }
        let now = Instant::now();
        self.history.lock().holds.iter_mut().filter(|hold| hold.node == node).for_each(|hold| hold.to = hold.to.min(now));
        self.cluster.kill(node).await;
    }

    async fn start(&mut self, node: usize) {
        self.cluster.start(node).await;
        self.employ(node);
    }

    async fn step(&mut self) {
        let node = 1 + self.dice.below(NODES);
        let runs = self.cluster.running().contains(&node);
        match self.dice.below(9) {
            0 => self.cluster.isolate(node),
            1 => self.cluster.network.cut(&address(node), &address(1 + self.dice.below(NODES))),
            2 => self.cluster.network.trouble(Duration::from_millis(self.dice.below(40) as u64), Some(2 + self.dice.below(20) as u64)),
            3 if runs && self.cluster.running().len() > NODES / 2 => self.kill(node).await,
            4 | 5 if !runs => self.start(node).await,
            _ => self.cluster.network.heal(),
        }
        sleep(Duration::from_millis(200 + self.dice.below(3000) as u64)).await;
    }
}

async fn survives(seed: u64) {
    let cluster = Cluster::up(NODES).await;
    let mut run = Run { cluster, history: History::default(), tasks: HashMap::new(), dice: Dice(seed) };
    (1..=NODES).for_each(|node| run.employ(node));
    for _ in 0..STEPS {
        run.step().await;
    }
    run.cluster.network.heal();
    for node in 1..=NODES {
        if !run.cluster.running().contains(&node) {
            run.start(node).await;
        }
    }
    for node in 1..=NODES {
        run.cluster.until(node, |view| all_up(view, NODES)).await;
    }
    for node in 1..=NODES {
        run.kill(node).await;
    }
    let seen = run.history.lock();
    assert!(seen.holds.len() > 5, "only {} leases were granted", seen.holds.len());
    let mut holds = seen.holds.clone();
    holds.sort_by_key(|hold| hold.epoch);
    for pair in holds.windows(2) {
        assert!(pair[0].epoch < pair[1].epoch && pair[0].to <= pair[1].from, "two at a time: {pair:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn views_agree_and_no_two_nodes_hold_a_job_whatever_happens() {
    for seed in [3, 1_000_003, 77_777_777_777] {
        println!("seed {seed}");
        survives(seed).await;
    }
}
