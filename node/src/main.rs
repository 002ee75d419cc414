//! The storage node: keeps content, and serves it to gateways.

mod command;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::{CommandFactory, Parser};
use command::{Arguments, Command, PlaceArguments};
use zot_node::{Node, Ownership, Plane};
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
        _ if arguments.version => output::version("node"),
        Some(Command::Serve { config, place }) => zot_process::serve(&config, async |process| run(process, place).await),
        Some(Command::Verify { config }) => zot_process::verify(&config, Part::Node, |_| Vec::new()),
        None => output::help(&mut Arguments::command()),
    }
}

async fn run(process: &mut Process, place: PlaceArguments) -> anyhow::Result<()> {
    let mut cluster =
        process.config.cluster.clone().context("find `cluster` in the configuration: a node needs its `nodes` and `hashKey`")?;
    cluster.name = place.name.or(cluster.name);
    cluster.advertise = place.advertise.or(cluster.advertise);
    cluster.listen = place.listen.or(cluster.listen);
    let ownership = Ownership::default();
    let config = process.config.clone();
    let opened = process.unless_signalled(Node::open(&config, Some(&ownership), &zot_node::log_progress)).await;
    let Some(node) = opened.transpose()?.map(Arc::new) else { return Ok(()) };
    let mut plane = match Plane::open(process, &cluster, &node, &ownership).await {
        Ok(plane) => plane,
        Err(error) => {
            // Background work that is merely cut off would log faults of its own.
            process.end_tasks().await;
            return Err(error);
        }
    };
    node.run_jobs(&process.config, &process.tasks, plane.roles(&ownership));
    let ended = tokio::select! {
        () = process.signal() => Ok(()),
        error = plane.ended() => Err(error),
    };
    let stopped = match ended {
        Ok(()) => plane.drain(process).await,
        Err(error) => Err(error),
    };
    let unfinished = process.end_tasks().await;
    let stopped = stopped?;
    node.close(process.storage_may_take()).await.context("close the storage")?;
    tracing::info!(?stopped, ?unfinished, "stopped");
    Ok(())
}
