//! The cluster: machines that take turns, so that all that happens follows from the seed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use zot_cluster::{Loss, Storage};
use zot_consensus::{Options, Timings};

use crate::{
    client::Client,
    gateway::Gateways,
    history::History,
    host::Host,
    invariants::{content, leases::Leases, views::Views},
    nemesis::Nemesis,
    network::{End, Network},
    node::{self, Inside, Means},
    random::Random,
    stores::{Broken, Stores, Way},
    wall::Wall,
};

/// The configured nodes. One more machine comes after them, whose node may join.
pub(crate) const NODES: usize = 3;
pub(crate) const GATEWAYS: usize = 2;
const PUSHERS: usize = 3;
const READERS: usize = 2;
/// How long a turn is.
const TURN: Duration = Duration::from_millis(4);
/// How long it is quiet at the beginning, how long it is not, and how long everything may take to be read back afterwards.
const QUIET: Duration = Duration::from_secs(2);
const TROUBLE: Duration = Duration::from_secs(12);
const VERIFICATION: Duration = Duration::from_secs(300);

/// How long a process that ended is started again after.
const RESTART: Duration = Duration::from_millis(200);

/// A machine that a node runs on.
pub(crate) struct Machine {
    pub(crate) host: Option<Host>,
    /// Whether it is stopped, as by SIGSTOP.
    pub(crate) stopped: bool,
    /// When its process is started again, if it is to be.
    starts_at: Option<Duration>,
    pub(crate) way: Way,
    pub(crate) wall: Wall,
    speed: f64,
    runs: u64,
    /// What the chance of each run follows from.
    random: Random,
    inside: Arc<Mutex<Inside>>,
    directory: tempfile::TempDir,
}

/// A process that is a gateway.
pub(crate) struct Front {
    pub(crate) host: Option<Host>,
    pub(crate) wall: Wall,
    speed: f64,
    runs: u64,
}

/// A simulated cluster and its clients.
pub(crate) struct Simulation {
    pub(crate) now: Duration,
    pub(crate) history: History,
    pub(crate) network: Network,
    pub(crate) nodes: Vec<Machine>,
    pub(crate) fronts: Vec<Front>,
    pub(crate) stores: Stores,
    gateways: Gateways,
    clients: Host,
    random: Random,
    views: Views,
    leases: Leases,
}

pub(crate) fn node_address(node: usize) -> String {
    format!("n{node}:9090")
}

pub(crate) fn gateway_address(gateway: usize) -> String {
    format!("g{gateway}:80")
}

/// Runs a cluster from a seed, and returns its history.
pub(crate) fn run(seed: u64, broken: Broken) -> History {
    let mut simulation = Simulation::new(seed, broken);
    let ends = Arc::new(AtomicBool::new(false));
    let clients = simulation.start_clients(&ends);
    simulation.pass(QUIET, |_| {});
    let mut nemesis = Nemesis::new(simulation.random.fork());
    simulation.pass(TROUBLE, |simulation| nemesis.act(simulation));
    nemesis.heal(&mut simulation);
    ends.store(true, Ordering::Relaxed);
    simulation.finish(clients);
    let client = simulation.client("verifier".to_owned(), &ends);
    let verification = simulation.clients.handle().spawn(content::verify(client));
    simulation.finish(vec![verification]);
    let history = simulation.history.clone();
    history.register(|register| register.violations()).into_iter().for_each(|violation| history.violate(violation));
    history
}

impl Simulation {
    fn new(seed: u64, broken: Broken) -> Self {
        let random = Random::new(seed);
        let speed = || 0.97 + random.within(0..60) as f64 / 1000.0;
        let machine = |_| Machine {
            host: None,
            stopped: false,
            starts_at: None,
            way: Way::new(random.fork()),
            wall: Wall::new(&random),
            speed: speed(),
            runs: 0,
            random: random.fork(),
            inside: Arc::default(),
            directory: directory(),
        };
        let mut simulation = Self {
            now: Duration::ZERO,
            history: History::default(),
            network: Network::new(random.fork()),
            nodes: (0..=NODES).map(machine).collect(),
            fronts: (0..GATEWAYS).map(|_| Front { host: None, wall: Wall::new(&random), speed: speed(), runs: 0 }).collect(),
            stores: Stores::new(broken),
            gateways: Gateways::new(GATEWAYS, random.fork()),
            clients: Host::start(Duration::ZERO, 1.0),
            random: random.clone(),
            views: Views::default(),
            leases: Leases::default(),
        };
        (0..NODES).for_each(|node| simulation.start_node(node));
        (0..GATEWAYS).for_each(|gateway| simulation.start_gateway(gateway));
        simulation
    }

    fn start_clients(&mut self, ends: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
        let pushers: Vec<_> = (0..PUSHERS).map(|number| self.client(format!("p{number}"), ends)).collect();
        let readers: Vec<_> = (0..READERS).map(|number| self.client(format!("r{number}"), ends)).collect();
        let handle = self.clients.handle();
        let pushing = pushers.into_iter().map(|client| handle.spawn(client.push()));
        pushing.chain(readers.into_iter().map(|client| handle.spawn(client.read()))).collect()
    }

    fn client(&self, name: String, ends: &Arc<AtomicBool>) -> Client {
        Client {
            name,
            gateways: self.gateways.clone(),
            history: self.history.clone(),
            random: self.random.fork(),
            unsaved: self.stores.unsaved.clone(),
            ends: Arc::clone(ends),
            turn: Arc::new(AtomicUsize::new(self.random.place(GATEWAYS))),
        }
    }

    pub(crate) fn start_node(&mut self, node: usize) {
        let (machine, address) = (&mut self.nodes[node], node_address(node));
        let options = Options {
            directory: machine.directory.path().join("raft"),
            name: format!("n{node}"),
            address: address.clone(),
            storage: Storage::Shared,
            seeds: (0..NODES).map(node_address).collect(),
            timings: Timings::default(),
            snapshot_entries: 20,
            seed: Some(machine.random.next()),
        };
        let host = Host::start(self.now, machine.speed);
        let end = End { network: self.network.clone(), address };
        let wall = machine.wall.clock(&self.history);
        let engine = self.stores.engine(&machine.way, wall.clone());
        let means = Means { end, engine, stores: self.stores.clone(), wall };
        let running = node::run(options, means, Arc::clone(&machine.inside));
        let history = self.history.clone();
        host.handle().spawn(async move {
            if let Err(error) = running.await {
                history.violate(format_args!("node {node} cannot start: {error:?}"));
            }
        });
        machine.host = Some(host);
        machine.starts_at = None;
        machine.runs += 1;
    }

    /// Whether the configured nodes have formed their cluster.
    pub(crate) fn is_formed(&self) -> bool {
        let has_all = |machine: &Machine| machine.inside.lock().view().is_some_and(|view| view.members.len() >= NODES);
        self.nodes.iter().any(has_all)
    }

    /// Empties the disk of a node that does not run.
    pub(crate) fn wipe_node(&mut self, node: usize) {
        self.nodes[node].directory = directory();
    }

    /// Has another node ask for a node to be removed; what comes of it is up to them.
    pub(crate) fn remove_node(&self, node: usize) {
        // Not more of it than its name: what the other holds would not end with it.
        let Some(removed) = self.nodes[node].inside.lock().consensus().map(|consensus| consensus.id()) else { return };
        let others = self.nodes.iter().enumerate().filter(|(number, machine)| *number != node && !machine.stopped);
        let asked = others.filter_map(|(_, machine)| Some((machine.host.as_ref()?, machine.inside.lock().consensus()?))).next();
        if let Some((host, consensus)) = asked {
            host.handle().spawn(async move { consensus.remove(removed, Loss::Refused).await.ok() });
        }
    }

    /// Ends a node, and starts it again a moment later: by then nobody waits for its answers any more.
    pub(crate) fn restart_node(&mut self, node: usize) {
        self.crash_node(node);
        self.nodes[node].starts_at = Some(self.now + RESTART);
    }

    /// Starts processes again that ended by themselves, as a supervisor does.
    fn supervise(&mut self) {
        for node in 0..self.nodes.len() {
            let is_forgotten = self.nodes[node].inside.lock().is_forgotten();
            if is_forgotten {
                self.history.note(format_args!("n{node} was removed before it started, and starts again"));
                self.restart_node(node);
            }
            if self.nodes[node].starts_at.is_some_and(|at| at <= self.now) {
                self.start_node(node);
            }
        }
    }

    /// Ends a node wherever it is. Its disk stays.
    pub(crate) fn crash_node(&mut self, node: usize) {
        self.network.detach(&node_address(node));
        let machine = &mut self.nodes[node];
        *machine.inside.lock() = Inside::default();
        machine.host = None;
        machine.stopped = false;
    }

    pub(crate) fn start_gateway(&mut self, gateway: usize) {
        let front = &mut self.fronts[gateway];
        let host = Host::start(self.now, front.speed);
        let end = End { network: self.network.clone(), address: gateway_address(gateway) };
        let (seeds, wall) = ((0..NODES).map(node_address).collect(), front.wall.clock(&self.history));
        self.gateways.start(gateway, host.handle(), end, seeds, wall);
        front.host = Some(host);
        front.runs += 1;
    }

    pub(crate) fn crash_gateway(&mut self, gateway: usize) {
        self.gateways.end(gateway);
        self.fronts[gateway].host = None;
    }

    /// Lets time pass.
    fn pass(&mut self, time: Duration, mut before_each_turn: impl FnMut(&mut Self)) {
        let until = self.now + time;
        while self.now < until {
            before_each_turn(self);
            self.turn();
        }
    }

    fn finish(&mut self, tasks: Vec<JoinHandle<()>>) {
        let until = self.now + VERIFICATION;
        while !tasks.iter().all(JoinHandle::is_finished) {
            self.turn();
            if self.now > until {
                return self.history.violate("clients did not come to an end");
            }
        }
    }

    fn turn(&mut self) {
        self.now += TURN;
        self.history.set_now(self.now);
        self.supervise();
        let mut held = Vec::new();
        for (number, machine) in self.nodes.iter_mut().enumerate() {
            let Some(host) = &mut machine.host else { continue };
            if machine.stopped {
                host.miss();
                continue;
            }
            let inside = &machine.inside;
            let epoch = host.run(self.now, || inside.lock().epoch());
            held.extend(epoch.map(|epoch| ((number, machine.runs), epoch)));
            if let Some(view) = inside.lock().view() {
                self.views.look((&format!("n{number}"), machine.runs), &view, &self.history);
            }
        }
        self.leases.look(&held, &self.history);
        for (number, front) in self.fronts.iter_mut().enumerate() {
            let Some(host) = &mut front.host else { continue };
            host.run(self.now, || ());
            if let Some(view) = self.gateways.registry(number).and_then(|registry| registry.view()) {
                self.views.look((&format!("g{number}"), front.runs), &view, &self.history);
            }
        }
        self.clients.run(self.now, || ());
    }
}

/// A node's disk: in memory where there is such a place, because nothing here tests the disk.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
