//! Nodes that are stopped for a while, as by SIGSTOP: each has a thread of its own, and time is real.

use std::{
    collections::HashMap,
    sync::{Arc, mpsc},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{Instant, sleep, timeout},
};
use zot_cluster::{NodeId, State, Storage, View};
use zot_services::stall::unless_stalled;

use super::network::{PATIENCE, address, all_up, is};
use crate::{Consensus, Options, Timings, Transport, TransportError};

const NODES: usize = 3;

/// Where the nodes' threads are.
type Streets = Arc<Mutex<HashMap<String, (Handle, Consensus)>>>;

#[derive(Debug)]
struct Mail(Streets);

#[async_trait::async_trait]
impl Transport for Mail {
    async fn call(&self, address: &str, message: Bytes, within: Duration) -> Result<Bytes, TransportError> {
        let gone = || TransportError::Unreachable("nobody is there".into());
        let (thread, node) = self.0.lock().get(address).cloned().ok_or_else(gone)?;
        // It is the other node's thread that answers, or does not.
        let answer = thread.spawn(async move { node.handle(message).await });
        let answer = timeout(within, answer).await.map_err(|_| TransportError::Failed("no answer".into()))?;
        answer.map_err(|_| gone())?.map_err(|error| TransportError::Failed(error.into()))
    }
}

/// A node on a thread of its own.
struct Process {
    consensus: Consensus,
    thread: Handle,
    stopped: Arc<(Mutex<bool>, Condvar)>,
    end: Option<oneshot::Sender<()>>,
    joined: Option<std::thread::JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

impl Process {
    fn start(node: usize, streets: &Streets) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            directory: directory.path().to_owned(),
            name: format!("n{node}"),
            address: address(node),
            storage: Storage::Shared,
            seeds: (1..=NODES).map(address).collect(),
            timings: Timings::default(),
            snapshot_entries: Options::SNAPSHOT_ENTRIES,
            seed: None,
        };
        let (opened, open) = mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        let transport = Arc::new(Mail(Arc::clone(streets)));
        let joined = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let consensus = Consensus::open(options, transport).await.unwrap();
                opened.send((Handle::current(), consensus.clone())).unwrap();
                drop(ended.await);
                consensus.close(Duration::from_secs(2)).await;
            });
        });
        let (thread, consensus) = open.recv_timeout(PATIENCE).unwrap();
        streets.lock().insert(address(node), (thread.clone(), consensus.clone()));
        Self { consensus, thread, stopped: Arc::default(), end: Some(end), joined: Some(joined), _directory: directory }
    }

    /// Stops the node's only thread wherever it is.
    fn stop(&self) {
        *self.stopped.0.lock() = true;
        let stopped = Arc::clone(&self.stopped);
        self.thread.spawn(async move {
            let (stopped, changed) = &*stopped;
            let mut stopped = stopped.lock();
            while *stopped {
                changed.wait(&mut stopped);
            }
        });
    }

    fn go_on(&self) {
        *self.stopped.0.lock() = false;
        self.stopped.1.notify_all();
    }

    async fn until(&self, expected: impl Fn(&View) -> bool) -> Arc<View> {
        let mut views = self.consensus.views();
        let found = timeout(PATIENCE, views.wait_for(|view| view.as_ref().is_some_and(|view| expected(view)))).await;
        found.expect("a view as expected").unwrap().clone().unwrap()
    }

    async fn leader(&self) -> Option<NodeId> {
        self.consensus.status().await.ok().and_then(|status| status.leader)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.go_on();
        drop(self.end.take());
        if let Some(joined) = self.joined.take() {
            drop(joined.join());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_stopped_gives_up_its_lease_and_takes_nobody_for_down() {
    // Nobody else may be taken for silent: elections begin after a second.
    unless_stalled(Duration::from_millis(400), gives_up_its_lease_and_takes_nobody_for_down).await;
}

async fn gives_up_its_lease_and_takes_nobody_for_down() {
    let streets = Streets::default();
    let processes: Vec<Process> = (1..=NODES).map(|node| Process::start(node, &streets)).collect();
    for process in &processes {
        process.until(|view| all_up(view, NODES)).await;
    }
    let leader = processes[0].leader().await.unwrap();
    let (old, others): (Vec<&Process>, Vec<&Process>) = processes.iter().partition(|process| process.consensus.id() == leader);
    let (old, heir) = (old[0], others[0]);
    let lease = old.consensus.lease("sweep", Duration::from_secs(2)).await.unwrap().unwrap();

    let begun = Instant::now();
    old.stop();
    let without = heir.until(|view| is(view, leader, State::Down)).await;
    println!("a view without the stopped leader after {:?}", begun.elapsed());
    let won = loop {
        match heir.consensus.lease("sweep", Duration::from_secs(30)).await {
            Ok(Some(lease)) => break lease,
            _ => sleep(Duration::from_millis(50)).await,
        }
        assert!(begun.elapsed() < PATIENCE);
    };
    assert!(won.epoch > lease.epoch && !lease.is_valid());
    // Once it goes on it may be elected again like anybody else.
    assert_ne!(heir.leader().await, Some(leader));

    old.go_on();
    let back = heir.until(|view| view.number > without.number && all_up(view, NODES)).await;
    assert_eq!(back.number, without.number + 1, "nobody but the one that was stopped was ever down");
    assert_eq!(old.consensus.renew(&lease).await.unwrap(), None);
    assert!(heir.consensus.renew(&won).await.unwrap().is_some());
}
