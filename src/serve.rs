//! `zot serve`: open, listen, serve, drain, close. Alone, or as one of several processes that serve as one registry.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use zot_config::cluster::Cluster;
use zot_gateway::{Front, http::Health};
use zot_node::{Node, Ownership, Plane};
use zot_process::Process;
use zot_runtime::schedule::Alone;

/// Serves until a signal ends it.
pub(crate) fn serve(path: &Path) -> ExitCode {
    zot_process::serve(path, async |process| match process.config.cluster.clone() {
        None => alone(process).await,
        Some(cluster) => together(process, &cluster).await,
    })
}

/// Opens the storage; nothing if a signal comes before it is open.
async fn open(process: &mut Process, ownership: Option<&Ownership>) -> anyhow::Result<Option<Arc<Node>>> {
    let config = process.config.clone();
    let opened = process.unless_signalled(Node::open(&config, ownership, &zot_node::log_progress)).await;
    Ok(opened.transpose()?.map(Arc::new))
}

async fn alone(process: &mut Process) -> anyhow::Result<()> {
    let Some(node) = open(process, None).await? else { return Ok(()) };
    node.run_jobs(&process.config, &process.tasks, Arc::new(Alone));
    let served = serve_clients(process, &node).await;
    close(process, &node, served).await
}

async fn serve_clients(process: &mut Process, node: &Node) -> anyhow::Result<()> {
    let front = Front::open(process, node.registry(), Health::new()).await?;
    process.signal().await;
    front.drain().await.map(drop)
}

/// A gateway and a node in one process: its clients may ask for what any of the nodes keeps.
async fn together(process: &mut Process, cluster: &Cluster) -> anyhow::Result<()> {
    let ownership = Ownership::default();
    let Some(node) = open(process, Some(&ownership)).await? else { return Ok(()) };
    let served = serve_members(process, cluster, &node, &ownership).await;
    close(process, &node, served).await
}

async fn serve_members(process: &mut Process, cluster: &Cluster, node: &Arc<Node>, ownership: &Ownership) -> anyhow::Result<()> {
    let mut plane = Plane::open(process, cluster, node, ownership).await?;
    node.run_jobs(&process.config, &process.tasks, plane.roles(ownership));
    let registry = zot_gateway::cluster(process, cluster)?;
    let (supplied, is_removed) = (registry.clone(), plane.is_removed());
    let wants_requests = move || supplied.is_ready() && !is_removed();
    let front = Front::open(process, Arc::new(registry), Health::supplied_while(wants_requests)).await?;
    tokio::select! {
        () = process.signal() => {}
        error = plane.ended() => return Err(error),
    }
    front.drain().await?;
    plane.drain(process).await.map(drop)
}

/// Ends what is left when nobody is served any more. Background work that is merely cut off would log faults of its own.
async fn close(process: &Process, node: &Node, served: anyhow::Result<()>) -> anyhow::Result<()> {
    let unfinished = process.end_tasks().await;
    served?;
    node.close(process.storage_may_take()).await.context("close the storage")?;
    tracing::info!(?unfinished, "stopped");
    Ok(())
}
