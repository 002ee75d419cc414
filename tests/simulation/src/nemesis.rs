//! What goes wrong, and when it is put right again.

use std::time::Duration;

use crate::{
    random::Random,
    simulation::{GATEWAYS, NODES, Simulation, gateway_address, node_address},
};

/// What its events begin with.
pub(crate) const HARM: &str = "* ";

/// Does harm by chance.
pub(crate) struct Nemesis {
    random: Random,
    next: Duration,
    /// What is to be put right, and when.
    pending: Vec<(Duration, Remedy)>,
}

#[derive(Debug, Clone, Copy)]
enum Remedy {
    StartNode(usize),
    GoOn(usize),
    StartGateway(usize),
    Reach(usize),
    Heal,
}

impl Nemesis {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, next: Duration::ZERO, pending: Vec::new() }
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
        let node = self.random.place(NODES);
        let is_well = simulation.nodes[node].host.is_some() && !simulation.nodes[node].stopped;
        match self.random.within(0..10) {
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
            _ => {}
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
        let peers = (0..NODES).filter(|other| peers && *other != node).map(node_address);
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
        Remedy::StartNode(node) => simulation.start_node(node),
        Remedy::GoOn(node) => simulation.nodes[node].stopped = false,
        Remedy::StartGateway(gateway) => simulation.start_gateway(gateway),
        Remedy::Reach(node) => simulation.nodes[node].way.set_cut(false),
        Remedy::Heal => simulation.network.heal(),
    }
}
