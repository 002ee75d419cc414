//! A cluster of its own for a test: gateways and storage nodes as real processes, their configuration, directories and logs, all gone when the test ends.

mod administration;
mod all_in_one;
mod builder;
mod member;
mod services;

use std::{collections::BTreeMap, net::SocketAddr, path::Path, thread};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    front::{Front, Names},
    wait,
};

pub(crate) use self::services::credentials;
pub use self::{
    administration::{Run, Status},
    all_in_one::{prepare_members, start_members},
    builder::Builder,
    member::Member,
    services::{Endpoints, Services},
};

/// A running cluster. Dropping it kills its processes and fails the test if an unannounced error was logged.
pub struct Cluster {
    directory: TempDir,
    plan: builder::Plan,
    gateways: Vec<Member>,
    nodes: Vec<Member>,
    tolerated: Vec<String>,
}

impl Cluster {
    /// A cluster to be set up.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A round-robin front of its own before all gateways that there are now.
    pub async fn front(&self) -> Front {
        Front::start(self.gateway_addresses(), Names::as_they_are()).await
    }

    /// Where the gateways listen.
    pub fn gateway_addresses(&self) -> Vec<SocketAddr> {
        self.gateways.iter().map(Member::address).collect()
    }

    /// The gateway with this number, from 0.
    pub fn gateway(&mut self, number: usize) -> &mut Member {
        &mut self.gateways[number]
    }

    /// The node with this number, from 0.
    pub fn node(&mut self, number: usize) -> &mut Member {
        &mut self.nodes[number]
    }

    /// All gateways.
    pub fn gateways(&self) -> &[Member] {
        &self.gateways
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Member] {
        &self.nodes
    }

    /// A directory for the test's own files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Logged errors that contain `text` are part of this test.
    pub fn tolerate_errors(&mut self, text: &str) {
        self.tolerated.push(text.to_owned());
    }

    /// Changes the setting at a path like `/storage/dedupe` of every process, for its next start.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        let value = value.into();
        self.plan.set(path, &value);
        self.members_mut().for_each(|member| member.set(path, value.clone()));
    }

    /// Starts one more node, which asks those that are there to let it in. Gives its number; it may not be let in yet.
    pub fn add_node(&mut self) -> usize {
        let mut node = self.plan.node(self.directory.path(), self.nodes.len(), None);
        node.spawn();
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Kills a node for good: it is not waited for any more.
    pub fn forget_node(&mut self, number: usize) {
        self.nodes.remove(number);
    }

    /// Starts every process that does not run, and waits until all gateways are ready.
    pub async fn start(&mut self) {
        for member in self.members_mut() {
            if !member.is_running() {
                member.spawn();
            }
        }
        self.ready().await;
    }

    /// Waits until all running gateways are ready; fails the test with the logs if a process ends or it takes too long.
    pub async fn ready(&mut self) {
        let addresses: Vec<_> = self.gateways.iter_mut().filter_map(|gateway| gateway.is_running().then(|| gateway.client())).collect();
        for client in addresses {
            let ready = wait::within(wait::PATIENCE, async || {
                let ended = self.members_mut().find_map(|member| member.has_ended().then(|| member.name().to_owned()));
                assert!(ended.is_none(), "{ended:?} ended; the logs:\n{}", self.tails());
                client.get("/readyz").try_send().await.is_ok_and(|reply| reply.status == 200)
            });
            assert!(ready.await, "{} does not become ready; the logs:\n{}", client.base(), self.tails());
        }
    }

    /// Kills every process with SIGKILL.
    pub fn kill9(&mut self) {
        self.members_mut().for_each(Member::kill9);
    }

    /// The highest peak of memory that one of its processes has had, in bytes (`VmHWM`).
    pub fn memory_peak_bytes(&self) -> u64 {
        self.members().filter_map(Member::memory_peak_bytes).max().unwrap_or_default()
    }

    /// The last lines of every log.
    pub fn tails(&self) -> String {
        self.members().map(|member| format!("--- {}\n{}\n", member.name(), member.logs().tail())).collect()
    }

    /// Everything that all processes have logged.
    pub fn logs(&self) -> String {
        self.members().map(|member| member.logs().to_string()).collect()
    }

    /// What was logged as an error since `seen` and is not tolerated; `seen` is moved to the end.
    pub(crate) fn errors_since(&self, seen: &mut BTreeMap<String, usize>) -> Vec<String> {
        let mut errors = Vec::new();
        for member in self.members() {
            let logs = member.logs();
            let at = seen.entry(member.name().to_owned()).or_default();
            let new = logs.after(*at);
            *at = logs.text().len();
            errors.extend(new.errors_without(&self.tolerated).iter().map(|line| format!("{}: {line}", member.name())));
        }
        errors
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        self.gateways.iter().chain(&self.nodes)
    }

    fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.gateways.iter_mut().chain(&mut self.nodes)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill9();
        if thread::panicking() {
            return print(&self.tails());
        }
        let unexpected = self.errors_since(&mut BTreeMap::new());
        assert!(unexpected.is_empty(), "the cluster logged errors:\n{}", unexpected.join("\n"));
    }
}

#[expect(clippy::print_stderr, reason = "shown by the test harness when the test fails")]
fn print(tails: &str) {
    eprintln!("the logs of the cluster ended:\n{tails}");
}
