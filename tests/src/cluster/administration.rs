//! What an administrator does to a cluster: looks at it, drains a node, removes one, ends it all.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Cluster, Member};
use crate::{
    sandbox::{Output, run},
    wait,
};

/// What a cluster says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Grows with every change of the members.
    pub view: u64,
    /// The name of the leader, if there is one.
    pub leader: Option<String>,
    /// The state of every node, by its name.
    pub states: BTreeMap<String, String>,
    /// The share of the repositories that every node owns, in percent, by its name.
    pub shares: BTreeMap<String, f64>,
    /// The last run of every job that one node at a time runs, by its name.
    pub runs: BTreeMap<String, Run>,
}

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// When it ended, by the clock of whoever noted it, in milliseconds since the Unix epoch.
    pub ended_unix_ms: u64,
    /// What came of it.
    pub result: String,
}

impl Status {
    /// The names of the nodes that own their shares.
    pub fn up(&self) -> Vec<&str> {
        self.states.iter().filter(|(_, state)| *state == "up").map(|(name, _)| name.as_str()).collect()
    }

    fn read(output: &Output) -> Option<Self> {
        let status: Value = serde_json::from_str(&output.stdout).ok()?;
        let members = status["view"]["members"].as_array()?;
        let name = |member: &Value| Some(member["name"].as_str()?.to_owned());
        let leader = members.iter().find(|member| member["id"] == status["leader"]).and_then(name);
        let states = members.iter().filter_map(|member| Some((name(member)?, member["state"].as_str()?.to_owned()))).collect();
        let shares = members.iter().map(|member| Some((name(member)?, member["share_percent"].as_f64()?))).collect::<Option<_>>()?;
        let run =
            |job: &Value| Some(Run { ended_unix_ms: job["last_run_unix_ms"].as_u64()?, result: job["last_result"].as_str()?.to_owned() });
        let runs = status["jobs"].as_array()?.iter().filter_map(|job| Some((job["name"].as_str()?.to_owned(), run(job)?))).collect();
        Some(Self { view: status["view"]["number"].as_u64()?, leader, states, shares, runs })
    }
}

impl Cluster {
    /// What it says of itself, or nothing if nobody says anything.
    pub async fn status(&self) -> Option<Status> {
        Status::read(&self.administer("status", &["--json"]).await)
    }

    /// Waits until what it says of itself is as wanted, and gives that.
    pub async fn status_in_which(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        let mut status = None;
        let reached = wait::within(wait::PATIENCE, async || {
            status = self.status().await;
            status.as_ref().is_some_and(&holds)
        });
        assert!(reached.await, "in vain until {what}: {status:?}; the logs:\n{}", self.tails());
        status.expect("a status")
    }

    /// Waits until every node owns its share, and gives what the cluster then says of itself.
    pub async fn all_nodes_up(&self) -> Status {
        self.status_in_which("all nodes are up", |status| status.up().len() == self.nodes.len()).await
    }

    /// The number of the node that leads.
    pub async fn leader(&self) -> usize {
        let status = self.status_in_which("somebody leads", |status| status.leader.is_some()).await;
        self.nodes.iter().position(|node| Some(node.name()) == status.leader.as_deref()).expect("one of the nodes")
    }

    /// Has the node called `name` give its share to the others.
    pub async fn drain(&self, name: &str) {
        self.tell("drain", &[name]).await;
    }

    /// Has the others forget the node called `name`.
    pub async fn remove(&self, name: &str) {
        self.tell("remove", &[name]).await;
    }

    /// Has `zot cluster COMMAND` do something, with these arguments.
    pub async fn tell(&self, command: &str, arguments: &[&str]) {
        let output = self.administer(command, arguments).await;
        assert_eq!(output.code, Some(0), "{output:?}");
    }

    /// What `zot cluster COMMAND` says with these arguments, which it is to refuse.
    pub async fn refuses(&self, command: &str, arguments: &[&str]) -> String {
        let output = self.administer(command, arguments).await;
        assert_eq!(output.code, Some(1), "{output:?}");
        output.stderr
    }

    /// Whether the node with this number owns its share, as health checks ask it.
    pub async fn is_ready(&self, node: usize) -> bool {
        let address = self.nodes[node].address().to_string();
        self.administer("status", &["--ready", "--node", &address]).await.code == Some(0)
    }

    /// Ends every process as it should end, all at once.
    pub async fn terminate(&mut self) {
        let ended = futures::future::join_all(self.members_mut().map(Member::terminate)).await;
        assert!(ended.iter().all(std::process::ExitStatus::success), "{ended:?}; the logs:\n{}", self.tails());
    }

    /// Runs `zot cluster COMMAND FILE` with these arguments.
    async fn administer(&self, command: &str, arguments: &[&str]) -> Output {
        let file = self.gateways[0].config_file().to_str().expect("a readable path").to_owned();
        let all = ["cluster", command, &file].into_iter().chain(arguments.iter().copied()).map(str::to_owned).collect::<Vec<_>>();
        let running = tokio::task::spawn_blocking(move || run(&all.iter().map(String::as_str).collect::<Vec<_>>()));
        running.await.expect("the command ends")
    }
}
