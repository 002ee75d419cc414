//! The storage node: keeps content, and serves it to gateways.

mod command;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::{CommandFactory, Parser};
use command::{Arguments, Command, PlaceArguments};
use zot_config::{Config, cluster::Cluster};
use zot_node::{Door, Node, Ownership, Plane};
use zot_process::{Findings, Part, Process, Step, output};
use zot_proto::Stopped;

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
        Some(Command::Verify { config, place }) => zot_process::verify(&config, Part::Node, |config| check(config.clone(), place)),
        None => output::help(&mut Arguments::command()),
    }
}

fn check(config: Config, place: PlaceArguments) -> Findings {
    let cluster = config.cluster.map(|cluster| place.applied(cluster));
    zot_node::check(&Config { cluster, ..config })
}

async fn run(process: &Process, place: PlaceArguments) -> anyhow::Result<()> {
    let cluster = process.config.cluster.clone();
    let cluster = place.applied(cluster.context("find `cluster` in the configuration: a node needs its `nodes` and `hashKey`")?);
    let (ownership, door) = (Ownership::default(), Plane::bind(process, &cluster).await?);
    let opened = process.unless_signalled(Node::open(&process.config, Some(&ownership), &zot_node::log_progress)).await;
    let Some(node) = opened.transpose()?.map(Arc::new) else {
        let unfinished = process.end_tasks().await;
        tracing::info!(?unfinished, "stopped");
        return Ok(());
    };
    let served = serve(process, &cluster, door, &node, &ownership).await;
    // Background work that is merely cut off would log faults of its own.
    let unfinished = process.end_tasks().await;
    // The stores may be well although the node is not, and have what it knows of uploads.
    let closed = node.close(process.ending.left_for(Step::Storage)).await.context("close the storage");
    let stopped = served?;
    closed?;
    tracing::info!(?stopped, ?unfinished, "stopped");
    Ok(())
}

/// Serves the cluster until a signal ends it or the node takes part no more. Returns how serving ended; nothing if it had not begun.
async fn serve(
    process: &Process,
    cluster: &Cluster,
    door: Door,
    node: &Arc<Node>,
    ownership: &Ownership,
) -> anyhow::Result<Option<Stopped>> {
    let opened = process.unless_signalled(Plane::open(process, cluster, door, node, ownership)).await;
    let Some(plane) = opened.transpose()? else { return Ok(None) };
    node.run_jobs(&process.config, &process.tasks, plane.roles(ownership));
    let ended = tokio::select! {
        () = process.signal() => Ok(()),
        error = plane.ended() => Err(error),
    };
    plane.step_aside(process).await;
    let stopped = plane.drain(process).await?;
    ended.map(|()| Some(stopped))
}
