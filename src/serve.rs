//! `zot serve`: listen, open, serve, drain, close. Alone, or as one of several processes that serve as one registry.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use zot_config::cluster::Cluster;
use zot_gateway::Front;
use zot_node::{Door, Node, Ownership, Plane};
use zot_process::{Process, Step};
use zot_runtime::schedule::Alone;

/// Serves until a signal ends it.
pub(crate) fn serve(path: &Path) -> ExitCode {
    zot_process::serve(path, async |process| match &process.config.cluster {
        None => alone(process).await,
        Some(cluster) => together(process, cluster).await,
    })
}

/// Opens the storage, and tells those who ask how far that is; nothing if a signal comes before it is open.
async fn open(process: &Process, front: &Front, ownership: Option<&Ownership>) -> anyhow::Result<Option<Arc<Node>>> {
    front.is_doing("opening the storage");
    let progress = |done: usize, all: usize| {
        zot_node::log_progress(done, all);
        front.is_doing(format!("reading image layouts, {done} of {all} repositories are read"));
    };
    let opened = process.unless_signalled(Node::open(&process.config, ownership, &progress)).await;
    Ok(opened.transpose()?.map(Arc::new))
}

async fn alone(process: &Process) -> anyhow::Result<()> {
    let front = Front::listen(process).await?;
    let Some(node) = open(process, &front, None).await? else { return give_up(process, front).await };
    node.run_jobs(&process.config, &process.tasks, Arc::new(Alone));
    let served = serve_clients(process, front, &node).await;
    close(process, &node, served).await
}

async fn serve_clients(process: &Process, front: Front, node: &Node) -> anyhow::Result<()> {
    let opened = process.unless_signalled(front.open(process, node.registry(), || true)).await;
    if opened.transpose()?.is_some() {
        process.signal().await;
    }
    front.drain().await.map(drop)
}

/// A gateway and a node in one process: its clients may ask for what any of the nodes keeps.
async fn together(process: &Process, cluster: &Cluster) -> anyhow::Result<()> {
    let (front, door) = (Front::listen(process).await?, Plane::bind(process, cluster).await?);
    let ownership = Ownership::default();
    let Some(node) = open(process, &front, Some(&ownership)).await? else { return give_up(process, front).await };
    let served = serve_members(process, cluster, (front, door), &node, &ownership).await;
    close(process, &node, served).await
}

async fn serve_members(
    process: &Process,
    cluster: &Cluster,
    (front, door): (Front, Door),
    node: &Arc<Node>,
    ownership: &Ownership,
) -> anyhow::Result<()> {
    front.is_doing("opening what the nodes agreed on");
    let opened = process.unless_signalled(Plane::open(process, cluster, door, node, ownership)).await;
    let Some(plane) = opened.transpose()? else { return front.drain().await.map(drop) };
    node.run_jobs(&process.config, &process.tasks, plane.roles(ownership));
    let registry = zot_gateway::cluster(process, cluster)?;
    let (supplied, is_removed) = (registry.clone(), plane.is_removed());
    let wants_requests = move || supplied.is_ready() && !is_removed();
    let opened = process.unless_signalled(front.open(process, Arc::new(registry), wants_requests)).await;
    let ended = match opened.transpose()? {
        Some(()) => tokio::select! {
            () = process.signal() => Ok(()),
            error = plane.ended() => Err(error),
        },
        None => Ok(()),
    };
    // What clients have asked for may need the plane of this very process: it serves until they have their answers.
    let (drained, ()) = tokio::join!(front.drain(), plane.step_aside(process));
    let stopped = plane.drain(process).await;
    drained.and(stopped)?;
    ended
}

/// Ends before anybody was served.
async fn give_up(process: &Process, front: Front) -> anyhow::Result<()> {
    front.drain().await?;
    let unfinished = process.end_tasks().await;
    tracing::info!(?unfinished, "stopped");
    Ok(())
}

/// Ends what is left when nobody is served any more. Background work that is merely cut off would log faults of its own.
async fn close(process: &Process, node: &Node, served: anyhow::Result<()>) -> anyhow::Result<()> {
    let unfinished = process.end_tasks().await;
    // The stores may be well although serving failed, and have what this process knows of uploads.
    let closed = node.close(process.ending.left_for(Step::Storage)).await.context("close the storage");
    served.and(closed)?;
    tracing::info!(?unfinished, "stopped");
    Ok(())
}
