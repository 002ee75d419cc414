//! The gateway: one process of any number behind a load balancer.

mod command;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::{CommandFactory, Parser};
use command::{Arguments, Command};
use zot_gateway::{Front, server::Drained};
use zot_process::{Part, Process, output};

/// Small and long-lived objects of many threads are what a registry allocates; the system's allocator keeps more memory for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    match arguments.command {
        _ if arguments.version => output::version("gateway"),
        Some(Command::Serve { config }) => zot_process::serve(&config, run),
        Some(Command::Verify { config }) => zot_process::verify(&config, Part::Gateway, |config| zot_gateway::check(config).into()),
        Some(Command::Ready { config }) => zot_process::ready(&config, async |config| zot_gateway::ready(&config.http).await),
        None => output::help(&mut Arguments::command()),
    }
}

async fn run(process: &Process) -> anyhow::Result<()> {
    let served = serve(process).await;
    // Background work that is merely cut off would log faults of its own.
    let unfinished = process.end_tasks().await;
    let drained = served?;
    tracing::info!(cut = drained.cut, ?unfinished, "stopped");
    Ok(())
}

async fn serve(process: &Process) -> anyhow::Result<Drained> {
    let cluster = process.config.cluster.as_ref();
    let cluster = cluster.context("find `cluster` in the configuration: a gateway needs its `nodes` and `hashKey`")?;
    let front = Front::listen(process).await?;
    let registry = zot_gateway::cluster(process, cluster)?;
    let supplied = registry.clone();
    let opened = process.unless_signalled(front.open(process, Arc::new(registry), move || supplied.is_ready())).await;
    if opened.transpose()?.is_some() {
        process.signal().await;
    }
    front.drain().await
}
