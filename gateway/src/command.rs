//! The command line of a gateway.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// A gateway of a clustered OCI registry: serves clients with what the storage nodes keep.
#[derive(Debug, Parser)]
#[command(name = "zot-gateway", disable_version_flag = true)]
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
    /// Serve clients with what the nodes keep.
    Serve {
        /// The configuration file: JSON, YAML or TOML.
        config: PathBuf,
    },
    /// Check a configuration file and everything that it names, and change nothing.
    Verify {
        /// The configuration file: JSON, YAML or TOML.
        config: PathBuf,
    },
    /// Say whether it is ready on this host, by the exit code: for supervisors that can only run programs.
    Ready {
        /// The configuration file: JSON, YAML or TOML.
        config: PathBuf,
    },
}
