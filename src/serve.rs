//! `zot serve`: open, listen, serve, drain, close.

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use zot_gateway::{Front, http::Health};
use zot_node::Node;
use zot_process::Process;

/// Serves until a signal ends it.
pub(crate) fn serve(path: &Path) -> ExitCode {
    zot_process::serve(path, run)
}

async fn run(process: &mut Process) -> anyhow::Result<()> {
    let node = Node::open(&process.config, &process.tasks, &|done, all| tracing::debug!(done, all, "reading image layouts")).await?;
    let front = match Front::open(process, node.registry(), Health::new()).await {
        Ok(front) => front,
        Err(error) => {
            // Background work that is merely cut off would log faults of its own.
            process.end_tasks().await;
            return Err(error);
        }
    };
    process.signal().await;
    let drained = front.drain().await?;
    let unfinished = process.end_tasks().await;
    node.close(process.storage_may_take()).await.context("close the storage")?;
    tracing::info!(cut = drained.cut, ?unfinished, "stopped");
    Ok(())
}
