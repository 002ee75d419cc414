//! The all-in-one registry: one process, one command, one configuration file.

mod cluster;
mod command;
mod rebuild;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use command::{Arguments, Command};
use zot_config::Config;
use zot_process::{Findings, Part, output};

/// Small and long-lived objects of many threads are what a registry allocates; the system's allocator keeps more memory for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    match arguments.command {
        _ if arguments.version => output::version("all-in-one"),
        Some(Command::Serve { config, .. }) => serve::serve(&config),
        Some(Command::Verify { config }) => zot_process::verify(&config, Part::AllInOne, check),
        Some(Command::Ready { config }) => zot_process::ready(&config, async |config| zot_gateway::ready(&config.http).await),
        Some(Command::Cluster { command }) => cluster::run(command),
        Some(Command::Rebuild { config }) => rebuild::rebuild(&config),
        None => output::help(&mut Arguments::command()),
    }
}

/// What is wrong with a configuration that only those see who know what to do with it.
fn check(config: &Config) -> Findings {
    Findings::from(zot_gateway::check(config)).and(zot_node::check(config))
}
