//! What goes wrong, and when it is put right again.

use std::time::Duration;

use crate::{
    random::Random,
    simulation::{GATEWAYS, NODES, Simulation, gateway_address, node_address},
};

/// What its events begin with.
pub(crate) const HARM: &str = "* ";

/// What the events of a change of the members say.
pub(crate) const CHANGES_OF_MEMBERS: [&str; 3] = ["joins", "loses its disk", "is to be removed"];

/// Does harm by chance.
pub(crate) struct Nemesis {
    random: Random,
    next: Duration,
    /// What is to be put right, and when.
    pending: Vec<(Duration, Remedy)>,
    /// Whether one more node came.
    joined: bool,
    /// Whether a node lost its disk, or was removed. Both at a time may cost most of the voters, and then the cluster.
    lost: bool,
}

#[derive(Debug, Clone, Copy)]
enum Remedy {
    StartNode(usize),
    StartAgain(usize),
    GoOn(usize),
    StartGateway(usize),
    Reach(usize),
    Heal,
}

impl Nemesis {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, next: Duration::ZERO, pending: Vec::new(), joined: false, lost: false }
    }

    pub(crate) fn act(&mut self, simulation: &mut Simulation) {
        let now = simulation.now;
        let due: Vec<Remedy> = self.pending.extract_if(.., |(at, _)| *at <= now).map(|(_, remedy)| remedy).collect();
        due.into_iter().for_each(|remedy| apply(remedy, simulation));
        if now >= self.next {
            self.next = now + self.random.milliseconds(200..2500);
            self.harm(simulation);
        }
    }

    /// Puts everything right.
    pub(crate) fn heal(&mut self, simulation: &mut Simulation) {
        std::mem::take(&mut self.pending).into_iter().for_each(|(_, remedy)| apply(remedy, simulation));
        apply(Remedy::Heal, simulation);
        simulation.nodes.iter().for_each(|node| node.way.smooth());
    }

    fn harm(&mut self, simulation: &mut Simulation) {
        let node = self.random.place(simulation.nodes.len());
        let is_well = simulation.nodes[node].host.is_some() && !simulation.nodes[node].stopped;
        match self.random.within(0..12) {
            0 | 1 if is_well => self.crash(node, simulation),
            2 if is_well => {
                simulation.history.note(format_args!("{HARM}n{node} stops"));
                simulation.nodes[node].stopped = true;
                self.later(simulation.now, 300..7000, Remedy::GoOn(node));
            }
            3 => self.crash_gateway(simulation),
            4 => self.part(node, simulation),
            5 => {
                simulation.history.note(format_args!("{HARM}n{node} is cut off from the stores"));
                simulation.nodes[node].way.set_cut(true);
                self.later(simulation.now, 100..3000, Remedy::Reach(node));
            }
            6 => {
                let messages = self.random.within(3..20);
                simulation.history.note(format_args!("{HARM}one of {messages} messages between nodes is lost"));
                simulation.network.lose_one_of(messages);
                self.later(simulation.now, 500..4000, Remedy::Heal);
            }
            7 => {
                let ahead_s = simulation.nodes[node].wall.set(&self.random) / 1000;
                simulation.history.note(format_args!("{HARM}the clock of n{node} is set {ahead_s} s ahead of the time"));
            }
            8 => {
                let gateway = self.random.place(GATEWAYS);
                let ahead_s = simulation.fronts[gateway].wall.set(&self.random) / 1000;
                simulation.history.note(format_args!("{HARM}the clock of g{gateway} is set {ahead_s} s ahead of the time"));
            }
            9 if self.random.once_in(2) => {
                simulation.history.note(format_args!("{HARM}the sessions are emptied"));
                simulation.stores.empty_sessions();
            }
            10 | 11 if simulation.is_formed() => self.change_members(node, is_well, simulation),
            _ => {}
        }
    }

    /// Has a node join, lose its disk, or be removed and start again later.
    fn change_members(&mut self, node: usize, is_well: bool, simulation: &mut Simulation) {
        let [joins, loses_disk, is_removed] = CHANGES_OF_MEMBERS;
        if !self.joined {
            self.joined = true;
            simulation.history.note(format_args!("{HARM}n{NODES} {joins}"));
            simulation.start_node(NODES);
        } else if is_well && !self.lost {
            self.lost = true;
            if self.random.once_in(2) {
                simulation.history.note(format_args!("{HARM}n{node} {loses_disk}"));
                self.crash(node, simulation);
                simulation.wipe_node(node);
            } else {
                simulation.history.note(format_args!("{HARM}n{node} {is_removed}"));
                simulation.remove_node(node);
                self.later(simulation.now, 500..5000, Remedy::StartAgain(node));
            }
        }
    }

    fn crash(&mut self, node: usize, simulation: &mut Simulation) {
        simulation.history.note(format_args!("{HARM}n{node} crashes"));
        simulation.crash_node(node);
        self.later(simulation.now, 100..5000, Remedy::StartNode(node));
    }

    fn crash_gateway(&mut self, simulation: &mut Simulation) {
        let gateway = self.random.place(GATEWAYS);
        if simulation.fronts[gateway].host.is_some() {
            simulation.history.note(format_args!("{HARM}g{gateway} crashes"));
            simulation.crash_gateway(gateway);
            self.later(simulation.now, 100..2000, Remedy::StartGateway(gateway));
        }
    }

    /// Cuts a node off from others: nodes or gateways or both, in one direction or both.
    fn part(&mut self, node: usize, simulation: &mut Simulation) {
        let own = node_address(node);
        let (peers, gateways, deaf, mute) =
            (self.random.once_in(2), self.random.once_in(2), !self.random.once_in(4), !self.random.once_in(4));
        simulation.history.note(format_args!("{HARM}n{node} is cut off, peers {peers}, gateways {gateways}, deaf {deaf}, mute {mute}"));
        let peers = (0..simulation.nodes.len()).filter(|other| peers && *other != node).map(node_address);
        for other in peers.chain((0..GATEWAYS).filter(|_| gateways).map(gateway_address)) {
            if deaf {
                simulation.network.cut(&other, &own);
            }
            if mute {
                simulation.network.cut(&own, &other);
            }
        }
        self.later(simulation.now, 300..6000, Remedy::Heal);
    }

    fn later(&mut self, now: Duration, within_ms: std::ops::Range<u64>, remedy: Remedy) {
        self.pending.push((now + self.random.milliseconds(within_ms), remedy));
    }
}

fn apply(remedy: Remedy, simulation: &mut Simulation) {
    simulation.history.note(format_args!("{HARM}{remedy:?}"));
    match remedy {
        Remedy::StartNode(node) if simulation.nodes[node].host.is_none() => simulation.start_node(node),
        Remedy::StartAgain(node) if simulation.nodes[node].host.is_some() => simulation.restart_node(node),
        Remedy::StartNode(_) | Remedy::StartAgain(_) => {}
        Remedy::GoOn(node) => simulation.nodes[node].stopped = false,
        Remedy::StartGateway(gateway) => simulation.start_gateway(gateway),
        Remedy::Reach(node) => simulation.nodes[node].way.set_cut(false),
        Remedy::Heal => simulation.network.heal(),
    }
}
