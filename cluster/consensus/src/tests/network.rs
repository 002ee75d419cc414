//! Nodes in one process, and a network between them that can be cut, slow and lossy.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use crate::{Consensus, OpenError, Options, Standing, Timings, Transport, TransportError};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};
use zot_cluster::{NodeId, State, Storage, View};

/// How long anything may take before a test gives up. Time is simulated in most tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The network; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network(Arc<Mutex<Wires>>);

#[derive(Debug, Default)]
struct Wires {
    nodes: HashMap<String, Consensus>,
    /// From whom to whom nothing arrives.
    cut: HashSet<(String, String)>,
    /// Who cannot be asked anything, although what it asks is answered.
    out_of_reach: HashSet<String>,
    delay: Duration,
    /// One message of so many is lost.
    lose_one_of: Option<u64>,
    messages: u64,
}

/// A node's end of the network.
#[derive(Debug)]
struct End {
    address: String,
    network: Network,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Lost(&'static str);

impl Network {
    pub(crate) fn cut(&self, from: &str, to: &str) {
        self.0.lock().cut.insert((from.to_owned(), to.to_owned()));
    }

    /// From now on nobody can ask a node anything; what it asks is answered.
    pub(crate) fn put_out_of_reach(&self, node: &str) {
        self.0.lock().out_of_reach.insert(node.to_owned());
    }

    pub(crate) fn heal(&self) {
        let mut wires = self.0.lock();
        wires.cut.clear();
        wires.out_of_reach.clear();
        wires.delay = Duration::ZERO;
        wires.lose_one_of = None;
    }

    pub(crate) fn trouble(&self, delay: Duration, lose_one_of: Option<u64>) {
        let mut wires = self.0.lock();
        (wires.delay, wires.lose_one_of) = (delay, lose_one_of);
    }

    fn passes(&self, from: &str, to: &str) -> bool {
        let mut wires = self.0.lock();
        wires.messages += 1;
        let lost = wires.lose_one_of.is_some_and(|of| wires.messages.is_multiple_of(of));
        !lost && !wires.cut.contains(&(from.to_owned(), to.to_owned()))
    }
}

#[async_trait::async_trait]
impl Transport for End {
    async fn call(&self, address: &str, message: Bytes, within: Duration) -> Result<Bytes, TransportError> {
        let network = &self.network;
        let (node, delay) = {
            let wires = network.0.lock();
            let within_reach = !wires.out_of_reach.contains(address);
            (wires.nodes.get(address).filter(|_| within_reach).cloned(), wires.delay)
        };
        let lost = |what| TransportError::Failed(Box::new(Lost(what)));
        let exchange = async {
            sleep(delay).await;
            if !network.passes(&self.address, address) {
                sleep(within).await;
                return Err(lost("the message was lost"));
            }
            let node = node.ok_or_else(|| TransportError::Unreachable(Box::new(Lost("nobody is there"))))?;
            let answer = node.handle(message).await.map_err(|error| TransportError::Failed(Box::new(error)))?;
            sleep(delay).await;
            if !network.passes(address, &self.address) {
                sleep(within).await;
                return Err(lost("the answer was lost"));
            }
            Ok(answer)
        };
        timeout(within, exchange).await.unwrap_or_else(|_| Err(lost("nothing came in time")))
    }
}

/// Nodes with their directories.
pub(crate) struct Cluster {
    pub(crate) network: Network,
    pub(crate) timings: Timings,
    pub(crate) snapshot_entries: u64,
    pub(crate) storage: Storage,
    nodes: HashMap<usize, Consensus>,
    directories: HashMap<usize, tempfile::TempDir>,
    seeds: Vec<String>,
    moved: HashMap<usize, String>,
}

pub(crate) fn address(node: usize) -> String {
    format!("n{node}:9090")
}

impl Cluster {
    /// A configuration of nodes 1 to `nodes`, none of which runs yet.
    pub(crate) fn of(nodes: usize) -> Self {
        Self {
            network: Network::default(),
            timings: Timings::default(),
            snapshot_entries: Options::SNAPSHOT_ENTRIES,
            storage: Storage::Shared,
            nodes: HashMap::new(),
            directories: HashMap::new(),
            seeds: (1..=nodes).map(address).collect(),
            moved: HashMap::new(),
        }
    }

    /// Nodes 1 to `nodes`, all up.
    pub(crate) async fn up(nodes: usize) -> Self {
        Self::of(nodes).all_started().await
    }

    /// The same, with disks of their own.
    pub(crate) async fn up_with_disks(nodes: usize) -> Self {
        Self { storage: Storage::Local, ..Self::of(nodes) }.all_started().await
    }

    async fn all_started(mut self) -> Self {
        let nodes = self.seeds.len();
        for node in 1..=nodes {
            self.start(node).await;
        }
        for node in 1..=nodes {
            self.until(node, |view| all_up(view, nodes)).await;
        }
        self
    }

    fn options(&mut self, node: usize) -> Options {
        let directory = self.directories.entry(node).or_insert_with(|| tempfile::tempdir().unwrap());
        Options {
            directory: directory.path().join("raft"),
            name: format!("n{node}"),
            address: self.address(node),
            storage: self.storage,
            seeds: self.seeds.clone(),
            timings: self.timings.clone(),
            snapshot_entries: self.snapshot_entries,
            seed: None,
        }
    }

    /// Starts a node, with the directory it had before if there was one.
    pub(crate) async fn start(&mut self, node: usize) {
        self.try_start(node).await.unwrap();
    }

    pub(crate) async fn try_start(&mut self, node: usize) -> Result<(), OpenError> {
        let end = Arc::new(End { address: self.address(node), network: self.network.clone() });
        let options = self.options(node);
        let begun = Instant::now();
        // A former run of the node in this process may still be about to let go of the directory.
        let consensus = loop {
            match Consensus::open(options.clone(), Arc::clone(&end) as Arc<dyn Transport>).await {
                Err(OpenError::Directory { .. }) if begun.elapsed() < PATIENCE => sleep(Duration::from_millis(10)).await,
                other => break other?,
            }
        };
        self.network.0.lock().nodes.insert(self.address(node), consensus.clone());
        self.nodes.insert(node, consensus);
        Ok(())
    }

    /// Starts a node that is to find its cluster at other addresses than the configured ones.
    pub(crate) async fn start_with_seeds(&mut self, node: usize, seeds: Vec<String>) {
        let configured = std::mem::replace(&mut self.seeds, seeds);
        self.start(node).await;
        self.seeds = configured;
    }

    /// Ends a node without a word to anybody.
    pub(crate) async fn kill(&mut self, node: usize) {
        self.network.0.lock().nodes.remove(&self.address(node));
        self.nodes.remove(&node).unwrap().close(PATIENCE).await;
    }

    /// Gives a node that does not run another address, of which the configuration speaks from now on.
    pub(crate) fn move_to(&mut self, node: usize, address: &str) {
        self.seeds[node - 1] = address.to_owned();
        self.moved.insert(node, address.to_owned());
    }

    fn address(&self, node: usize) -> String {
        self.moved.get(&node).cloned().unwrap_or_else(|| address(node))
    }

    /// Empties the directory of a node that does not run.
    pub(crate) fn wipe(&mut self, node: usize) {
        self.directories.remove(&node);
    }

    /// Cuts a node off from all others, both ways.
    pub(crate) fn isolate(&self, node: usize) {
        let others: Vec<usize> = self.running().into_iter().filter(|other| *other != node).collect();
        for other in others {
            self.network.cut(&self.address(node), &self.address(other));
            self.network.cut(&self.address(other), &self.address(node));
        }
    }

    pub(crate) fn running(&self) -> Vec<usize> {
        let mut running: Vec<usize> = self.nodes.keys().copied().collect();
        running.sort_unstable();
        running
    }

    pub(crate) fn node(&self, node: usize) -> &Consensus {
        &self.nodes[&node]
    }

    pub(crate) fn id(&self, node: usize) -> NodeId {
        self.nodes[&node].id()
    }

    pub(crate) fn view(&self, node: usize) -> Option<Arc<View>> {
        self.nodes[&node].views().borrow().clone()
    }

    /// Waits until a node has a view that is as expected.
    pub(crate) async fn until(&self, node: usize, expected: impl Fn(&View) -> bool) -> Arc<View> {
        let mut views = self.nodes[&node].views();
        let found = timeout(PATIENCE, views.wait_for(|view| view.as_ref().is_some_and(|view| expected(view)))).await;
        match found {
            Ok(view) => view.unwrap().clone().unwrap(),
            Err(_) => panic!("n{node} waits for another view than {:?}, {:?}", self.view(node), self.nodes[&node].standing().borrow()),
        }
    }

    /// Waits until a node stands as expected.
    pub(crate) async fn until_standing(&self, node: usize, expected: impl Fn(&Standing) -> bool) {
        let mut standing = self.nodes[&node].standing();
        let found = timeout(PATIENCE, standing.wait_for(expected)).await.is_ok();
        assert!(found, "n{node} stands {:?}", self.nodes[&node].standing().borrow());
    }

    /// The node that leads by what most of the running nodes say. Waits until there is one.
    pub(crate) async fn leader(&self) -> usize {
        let looking = async {
            loop {
                if let Some(leader) = self.agreed_leader().await {
                    return leader;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, looking).await.expect("a leader")
    }

    async fn agreed_leader(&self) -> Option<usize> {
        let mut votes: HashMap<NodeId, usize> = HashMap::new();
        for node in self.nodes.values() {
            if let Ok(status) = node.status().await
                && let Some(leader) = status.leader
            {
                *votes.entry(leader).or_default() += 1;
            }
        }
        let (leader, _) = votes.into_iter().find(|(_, count)| count * 2 > self.nodes.len())?;
        self.running().into_iter().find(|node| self.id(*node) == leader)
    }
}

/// Whether a view has this many members, all of them up.
pub(crate) fn all_up(view: &View, members: usize) -> bool {
    view.members.len() == members && view.members.iter().all(|member| member.state == State::Up)
}

/// Whether a member is in a state.
pub(crate) fn is(view: &View, id: NodeId, state: State) -> bool {
    view.member(id).is_some_and(|member| member.state == state)
}
