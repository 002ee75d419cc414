//! `zot cluster`: asks the nodes of a cluster about it, and tells them what to do.

#[cfg(test)]
mod example;
mod json;
mod table;

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use tokio::{task::JoinSet, time::timeout};
use zot_cluster::{ClusterId, HashKey, Loss, Member, NodeId, Placement, State, Status};
use zot_config::{Config, cluster::Cluster};
use zot_process::output;
use zot_proto::{ClusterClient, Dialer};
use zot_runtime::{telemetry, tls::TlsSource};

/// What to ask or tell a cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the members, their states and shares, the leader, and the jobs with their last runs.
    Status {
        #[command(flatten)]
        cluster: ClusterArguments,
        /// Show it as JSON.
        #[arg(long)]
        json: bool,
        /// Succeed only if the node that is asked is up: what health checks want to know.
        #[arg(long)]
        ready: bool,
    },
    /// Make a node that belongs to no cluster yet a member of this one.
    Join {
        #[command(flatten)]
        cluster: ClusterArguments,
        /// The host:port of the node's internal plane.
        address: String,
    },
    /// Have the other nodes take over what a node owns, where all reach the same storage; it finishes what it has begun.
    Drain {
        #[command(flatten)]
        cluster: ClusterArguments,
        /// The node's name, identity or address.
        node: String,
    },
    /// Give a drained node its share again.
    Undrain {
        #[command(flatten)]
        cluster: ClusterArguments,
        /// The node's name, identity or address.
        node: String,
    },
    /// Take a node out of the cluster.
    Remove {
        #[command(flatten)]
        cluster: ClusterArguments,
        /// The node's name, identity or address.
        node: String,
        /// Remove it although its repositories are on its own disk alone, and lost to the cluster then.
        #[arg(long)]
        lose_repositories: bool,
    },
}

/// Which cluster, and who in it is asked.
#[derive(Debug, Args)]
pub(crate) struct ClusterArguments {
    /// The configuration file of one of its processes.
    config: PathBuf,
    /// Ask the node at this host:port, instead of the first of the configured ones that answers.
    #[arg(long = "node", value_name = "HOST:PORT")]
    asked: Option<String>,
}

/// Runs a command.
pub(crate) fn run(command: Command) -> ExitCode {
    let Some(_logs) = output::logs() else { return ExitCode::FAILURE };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.context("start a runtime").and_then(|runtime| runtime.block_on(command.run()));
    match done {
        Ok(text) => {
            // Nothing can be said if even this cannot be written.
            std::io::stdout().write_all(text.as_bytes()).ok();
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::tell(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

impl Command {
    /// Does it, and returns what to show.
    async fn run(self) -> anyhow::Result<String> {
        match self {
            Self::Status { cluster, json, ready } => {
                let asked = Asked::find(&cluster).await?;
                if ready {
                    asked.expect_up()?;
                }
                let shares = asked.shares();
                if json { Ok(json::write(&asked.status, &shares)?) } else { Ok(table::draw(&asked.status, &shares, SystemTime::now())) }
            }
            Self::Join { cluster, address } => {
                let asked = Asked::find(&cluster).await?;
                asked.client.join(&address).await.with_context(|| format!("let {address} join"))?;
                Ok(format!("{address} was invited, see `zot cluster status`\n"))
            }
            Self::Drain { cluster, node } => {
                let (asked, member) = Asked::about(&cluster, &node).await?;
                asked.client.drain(member.id).await.with_context(|| format!("drain {}", member.name))?;
                Ok(format!("{} is draining\n", member.name))
            }
            Self::Undrain { cluster, node } => {
                let (asked, member) = Asked::about(&cluster, &node).await?;
                asked.client.undrain(member.id).await.with_context(|| format!("undrain {}", member.name))?;
                Ok(format!("{} has its share again\n", member.name))
            }
            Self::Remove { cluster, node, lose_repositories } => {
                let (asked, member) = Asked::about(&cluster, &node).await?;
                let loss = if lose_repositories { Loss::Accepted } else { Loss::Refused };
                asked.client.remove(member.id, loss).await.with_context(|| format!("remove {}", member.name))?;
                Ok(format!("{} is in the cluster no more\n", member.name))
            }
        }
    }
}

/// How long the other nodes are waited for when one has answered.
const OTHERS_WITHIN: Duration = Duration::from_millis(500);

/// A node that answered, and what it said.
struct Asked {
    client: ClusterClient,
    status: Status,
    hash_key: HashKey,
}

impl Asked {
    /// Asks the node that was named, or all configured ones: one that is out of touch with the others knows only what was. Whoever knows most
    /// is believed, of the cluster that most of them belong to.
    async fn find(arguments: &ClusterArguments) -> anyhow::Result<Self> {
        let cluster = cluster(&arguments.config)?;
        let dialer = dialer(&cluster)?;
        let addresses = arguments.asked.clone().map_or_else(|| cluster.node_addresses(), |node| vec![node]);
        let hash_key = HashKey::new(cluster.hash_key_bytes().context("read cluster.hashKey")?);
        let mut asking = JoinSet::new();
        for address in addresses {
            let client = ClusterClient::dial(&dialer, &address)?;
            asking.spawn(async move { (address, client.status().await.map(|status| Self { client, status, hash_key })) });
        }
        let (mut answers, mut refusals) = (Vec::<Self>::new(), Vec::new());
        loop {
            // Nobody waits for one that is silent while another has answered.
            let within = if answers.is_empty() { Duration::MAX } else { OTHERS_WITHIN };
            let Ok(Some(answer)) = timeout(within, asking.join_next()).await else { break };
            match answer? {
                (_, Ok(asked)) => answers.push(asked),
                (address, Err(error)) => refusals.push(format!("{address}: {}", telemetry::chain(&error))),
            }
        }
        let clusters: Vec<Option<ClusterId>> = answers.iter().map(|asked| asked.status.view.cluster.clone()).collect();
        let companions = |asked: &Self| clusters.iter().filter(|cluster| **cluster == asked.status.view.cluster).count();
        let newest = answers.into_iter().max_by_key(|asked| (companions(asked), asked.knows()));
        newest.with_context(|| format!("no node answered\n  {}", refusals.join("\n  ")))
    }

    /// How much a node knows: which view, which leader's term, and how late a run of a job.
    fn knows(&self) -> (u64, u64, Option<u64>) {
        let last_run = self.status.jobs.iter().filter_map(|job| job.last_run_unix_ms).max();
        (self.status.view.number, self.status.term, last_run)
    }

    /// The same, and the member that somebody speaks of by name, identity or address.
    async fn about(arguments: &ClusterArguments, node: &str) -> anyhow::Result<(Self, Member)> {
        let asked = Self::find(arguments).await?;
        let is_meant = |member: &&Member| member.name == node || member.address == node || member.id.to_string() == node;
        let meant: Vec<Member> = asked.status.view.members.iter().filter(is_meant).cloned().collect();
        match <[Member; 1]>::try_from(meant) {
            Ok([member]) => Ok((asked, member)),
            Err(meant) if meant.is_empty() => bail!("no member has the name, identity or address `{node}`: see `zot cluster status`"),
            Err(_) => bail!("several members have the name `{node}`: give an identity or address"),
        }
    }

    fn expect_up(&self) -> anyhow::Result<()> {
        let state = self.status.view.member(self.status.node).map(|member| member.state);
        match state {
            Some(State::Up) => Ok(()),
            Some(state) => bail!("the node is {state}"),
            None => bail!("the node is in no cluster"),
        }
    }

    /// The share of all repositories that each owner has, in 1/1000.
    fn shares(&self) -> BTreeMap<NodeId, u64> {
        Placement::new(self.status.view.clone(), self.hash_key).shares()
    }
}

fn cluster(config: &Path) -> anyhow::Result<Cluster> {
    let loaded = Config::load(config).map_err(|error| anyhow::anyhow!("{}", telemetry::chain(&error)))?;
    loaded.config.cluster.with_context(|| format!("find `cluster` in {}", config.display()))
}

fn dialer(cluster: &Cluster) -> anyhow::Result<Dialer> {
    let files = zot_process::plane_tls_files(cluster);
    let source = files.map(TlsSource::load).transpose()?;
    Ok(source.map_or_else(Dialer::plain, |source| Dialer::secured(source.into())))
}
