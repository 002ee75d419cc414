//! The command line, as zot's where zot has it.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cluster;

/// A clustered OCI registry, in one process.
#[derive(Debug, Parser)]
#[command(name = "zot", disable_version_flag = true)]
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
    /// Store and serve images.
    Serve {
        /// The configuration file: JSON, YAML or TOML.
        config: PathBuf,
        /// Accepted for zot's sake: no start walks the storage.
        #[arg(long, hide = true)]
        force_reparse: bool,
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
    /// Ask the nodes of a cluster about it, and tell them what to do.
    Cluster {
        #[command(subcommand)]
        command: cluster::Command,
    },
    /// Throw the metadata away and read it anew from the image layouts, on disk or in the bucket. The registry must not be running.
    Rebuild {
        /// The configuration file: JSON, YAML or TOML.
        config: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
