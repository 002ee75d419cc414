//! How a node finds its cluster, or forms one with others that have none.
//!
//! Only the first node of the configuration forms a cluster, and only when a majority of the configured nodes has answered (all of them, where
//! each has a disk of its own) and none of those that did has a cluster, or was removed from one. So one whose directory was lost asks the others
//! first, and joins them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::time::sleep;
use zot_cluster::{ClusterId, NodeId, Storage};

use crate::{
    consensus::Standing,
    error::{Contact, Error},
    node::Node,
    raft::Peer,
    wire::{Answer, Hello, Question, Request},
};

/// The first and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The configured nodes as they answered, by address, in the order of the configuration.
pub(crate) type Seeds = Vec<(String, Result<Hello, Error>)>;

/// What to do after having asked around.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Ask the nodes at these addresses to be let in.
    Join(Vec<String>),
    /// Form a cluster of these.
    Form(BTreeMap<NodeId, Peer>),
    /// Nothing can be done yet, for this reason.
    Wait(String),
}

impl Node {
    /// Goes on until this node is in a cluster.
    pub(crate) async fn find_cluster(self: Arc<Self>) {
        let (mut pause, longest) = PAUSES;
        while !self.is_in() {
            let reason = match self.next_step().await {
                Step::Join(addresses) => self.ask_to_join(addresses).await,
                Step::Form(nodes) => self.form(nodes).await,
                Step::Wait(reason) => reason,
            };
            self.wait_for(reason);
            sleep(pause.mul_f64(0.5 + self.random.fraction() / 2.0)).await;
            pause = (pause * 2).min(longest);
        }
        if self.returns {
            self.wait_for("its cluster to be heard".to_owned());
        } else if !self.is_removed() {
            self.be_member();
            tracing::info!(node = %self.id, name = self.options.name, "this node is in its cluster");
        }
    }

    /// Whether this node was let in, in this run or before. What only its log says may come to nothing: the leader that let it in may be gone.
    fn is_in(&self) -> bool {
        let in_log = || self.membership().get_node(&self.id).is_some();
        let is_agreed = || self.applied.with(|agreed| agreed.membership.membership().get_node(&self.id).is_some());
        let by_itself = self.returns || self.store.founded().unwrap_or(false);
        self.is_removed() || if by_itself { in_log() } else { is_agreed() }
    }

    async fn next_step(&self) -> Step {
        if self.is_alone() {
            return Step::Form([(self.id, self.as_peer())].into());
        }
        step(self.id, &self.ask_around().await, self.is_bound(), self.options.storage)
    }

    /// Asks the configured nodes who they are, and keeps in mind where those of this cluster are.
    pub(crate) async fn ask_around(&self) -> Seeds {
        let addresses = self.seeds.lock().clone();
        let within = self.timings().presence * 2;
        let ask = |address: String| async move {
            if address == self.options.address {
                return (address, Ok(self.own_hello()));
            }
            let answer = self.outbound.ask(&address, None, Question::Hello, within).await;
            (address, answer.and_then(as_hello))
        };
        let seeds: Seeds = join_all(addresses.into_iter().map(ask)).await;
        let ours = self.outbound.cluster();
        for (address, hello) in &seeds {
            if let Ok(hello) = hello
                && ours.is_some()
                && hello.cluster == ours
            {
                self.outbound.met(&Contact { id: hello.id, address: address.clone() });
            }
        }
        seeds
    }

    /// Whether the configuration names nobody else.
    fn is_alone(&self) -> bool {
        !self.is_bound() && self.seeds.lock().iter().all(|address| *address == self.options.address)
    }

    /// Whether this node can only go back to where it was. One that founded a cluster and then stopped at once may still form it.
    fn is_bound(&self) -> bool {
        let belongs = self.outbound.cluster().is_some() && !self.store.founded().unwrap_or(false);
        belongs || self.store.was_removed_before().unwrap_or(true)
    }

    fn as_peer(&self) -> Peer {
        Peer { name: self.options.name.clone(), address: self.options.address.clone() }
    }

    /// What this node says of itself.
    pub(crate) fn own_hello(&self) -> Hello {
        Hello { id: self.id, name: self.options.name.clone(), cluster: self.outbound.cluster(), bound: self.is_bound() }
    }

    /// Asks to be let in, and returns what it waits for then.
    async fn ask_to_join(&self, addresses: Vec<String>) -> String {
        let mut refused = String::new();
        for address in addresses {
            match self.ask_leader_by(&address).await {
                Ok(()) => return "the cluster to let this node in".to_owned(),
                Err(error) => refused = format!("the cluster of {address}: {error}"),
            }
        }
        refused
    }

    /// Asks the leader that a node knows of, which may be that node.
    async fn ask_leader_by(&self, address: &str) -> Result<(), Error> {
        let request = || Question::Lead(Request::Join { id: self.id, peer: self.as_peer(), storage: self.options.storage });
        let within = self.timings().operation;
        match self.outbound.ask(address, None, request(), within).await {
            Err(Error::NotLeader { leader: Some(leader) }) => {
                self.outbound.ask(&leader.address, Some(leader.id), request(), within).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    /// Forms a cluster. The others hear of it when they are asked to vote.
    async fn form(&self, nodes: BTreeMap<NodeId, Peer>) -> String {
        let names: Vec<&str> = nodes.values().map(|peer| peer.name.as_str()).collect();
        tracing::info!(members = names.join(", "), "forming a cluster of {}", names.join(", "));
        let cluster = self.outbound.cluster().unwrap_or_else(|| ClusterId::new(uuid::Uuid::new_v4().to_string()));
        if let Err(error) = self.belong_to(cluster, true).await {
            return format!("its disk: {error}");
        }
        match self.raft.initialize(nodes).await {
            Ok(()) => "the first election".to_owned(),
            Err(error) => format!("a cluster to be formed: {error}"),
        }
    }

    /// Notes and logs what this node waits for, when that changed.
    fn wait_for(&self, reason: String) {
        let waiting = Standing::Waiting(reason.clone());
        self.standing.send_if_modified(|standing| {
            let changed = *standing != waiting && matches!(standing, Standing::Waiting(_));
            if changed {
                tracing::info!(node = %self.id, "waiting for {reason}");
                *standing = waiting;
            }
            changed
        });
    }
}

fn as_hello(answer: Answer) -> Result<Hello, Error> {
    match answer {
        Answer::Hello(hello) => Ok(hello),
        _ => Err(Error::Malformed("the answer does not fit the question".to_owned())),
    }
}

/// What a node does that heard this of the configured nodes. `bound` nodes know that there is a cluster, and can only go back to it.
fn step(me: NodeId, seeds: &Seeds, bound: bool, storage: Storage) -> Step {
    let there: Vec<(&str, &Hello)> = seeds.iter().filter_map(|(address, hello)| Some((address.as_str(), hello.as_ref().ok()?))).collect();
    let in_cluster = |(address, hello): &(&str, &Hello)| (hello.id != me && hello.cluster.is_some()).then(|| (*address).to_owned());
    let members: Vec<String> = there.iter().filter_map(in_cluster).collect();
    if !members.is_empty() {
        return Step::Join(members);
    }
    if bound {
        return Step::Wait("its cluster to let it in".to_owned());
    }
    // The others of that cluster may only be out of reach.
    if let Some((address, _)) = there.iter().find(|(_, hello)| hello.bound) {
        return Step::Wait(format!("the cluster that {address} was in (if it is gone, empty `cluster.directory` there)"));
    }
    let is_first = seeds.first().is_some_and(|(_, first)| first.as_ref().is_ok_and(|hello| hello.id == me));
    if !is_first {
        let first = seeds.first().map_or("another node", |(address, _)| address);
        return Step::Wait(format!("{first} to form a cluster"));
    }
    let (enough, wanted) = match storage {
        Storage::Shared => (there.len() * 2 > seeds.len(), "a majority of the configured nodes"),
        // Repositories stay where the first view places them: nobody can be let in later.
        Storage::Local => (there.len() == seeds.len(), "all configured nodes"),
    };
    if !enough {
        let silent: Vec<&str> = seeds.iter().filter(|(_, hello)| hello.is_err()).map(|(address, _)| address.as_str()).collect();
        return Step::Wait(format!("{wanted}: {} do not answer", silent.join(", ")));
    }
    Step::Form(
        there.into_iter().map(|(address, hello)| (hello.id, Peer { name: hello.name.clone(), address: address.to_owned() })).collect(),
    )
}

#[cfg(test)]
mod tests;
