//! The command line of a storage node.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use zot_config::cluster::Cluster;

/// A storage node of a clustered OCI registry: keeps content, and serves it to gateways.
#[derive(Debug, Parser)]
#[command(name = "zot-node", disable_version_flag = true)]
pub(crate) struct Arguments {
    /// Show the versions of this program and of the specification, and exit.
    #[arg(short = 'v', long, global = true)]
    pub(crate) version: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Keep content and serve it to gateways.
    Serve {
        /// The configuration file: JSON, YAML or TOML.
        config: PathBuf,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Check a configuration file and everything that it names, and change nothing.
    Verify {
        /// The configuration file: JSON, YAML or TOML.
        config: PathBuf,
        #[command(flatten)]
        place: PlaceArguments,
    },
}

/// Where this node is in its cluster, where one file serves all nodes.
#[derive(Debug, Args)]
pub(crate) struct PlaceArguments {
    /// What people call this node, instead of cluster.name.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The host:port where the others reach this node, instead of cluster.advertise.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) advertise: Option<String>,
    /// The address:port that the internal plane listens on, instead of cluster.listen.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
}

impl PlaceArguments {
    /// The cluster as this node sees it.
    pub(crate) fn applied(self, cluster: Cluster) -> Cluster {
        let Self { name, advertise, listen } = self;
        Cluster { name: name.or(cluster.name), advertise: advertise.or(cluster.advertise), listen: listen.or(cluster.listen), ..cluster }
    }
}
