//! Follows the cluster's views: one node's stream at a time, another one's when it ends, falls silent or falls behind.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use tokio::time::sleep;
use zot_cluster::{State, View};
use zot_proto::{ClusterClient, Dialer, PlaneError};
use zot_runtime::telemetry::chain;

use super::directory::Directory;

/// How long one node is followed. A node that is cut off from the others, but not from here, keeps telling of the last view that it knew.
const FOLLOWED_MAX: Duration = Duration::from_secs(30);
/// How long it is waited after the first node that could not be followed; twice as long after each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Follows the views for as long as it is polled.
pub(super) async fn follow(directory: Arc<Directory>, dialer: Dialer, seeds: Vec<String>) {
    let (mut turn, mut pause) = (0_usize, PAUSE_FIRST);
    loop {
        let sources = sources(directory.placement().ok().as_deref().map(zot_cluster::Placement::view), &seeds);
        let address = sources.get(turn % sources.len().max(1)).map_or("", String::as_str);
        turn = turn.wrapping_add(1);
        match follow_one(&directory, &dialer, address).await {
            Ok(()) => pause = PAUSE_FIRST,
            Err(error) => {
                if directory.is_followed() {
                    tracing::warn!(address, error = %chain(&*error), "no longer told of the cluster's views");
                    pause = PAUSE_FIRST;
                }
                directory.set_followed(false);
                tracing::debug!(address, error = %chain(&*error), "could not follow the cluster's views");
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// Follows one node's views, until it is another one's turn.
async fn follow_one(directory: &Directory, dialer: &Dialer, address: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut views = ClusterClient::dial(dialer, address)?.watch_views().await?;
    let long_enough = sleep(FOLLOWED_MAX);
    tokio::pin!(long_enough);
    loop {
        tokio::select! {
            view = views.next() => note(directory, view.ok_or("the node ended its stream of views")?)?,
            () = directory.fell_behind() => return Ok(()),
            () = &mut long_enough => return Ok(()),
        }
    }
}

fn note(directory: &Directory, view: Result<View, PlaneError>) -> Result<(), PlaneError> {
    let view = view?;
    let (number, members) = (view.number, view.members.len());
    directory.set_followed(true);
    if directory.take(view) {
        tracing::info!(view = number, members, "learned who is in the cluster");
    }
    Ok(())
}

/// Whom to follow, in turn: the members, those that are up first, then the seeds that are none of them.
fn sources(view: Option<&View>, seeds: &[String]) -> Vec<String> {
    let mut members: Vec<_> = view.iter().flat_map(|view| &view.members).collect();
    members.sort_by_key(|member| member.state != State::Up);
    let mut sources: Vec<String> = members.into_iter().map(|member| member.address.clone()).collect();
    for seed in seeds.iter().filter(|seed| !seed.is_empty()) {
        if !sources.contains(seed) {
            sources.push(seed.clone());
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use zot_cluster::{Member, NodeId, Storage};

    use super::*;

    #[test]
    fn members_that_are_up_are_followed_first_and_seeds_last() {
        let member = |id: u64, state| Member { id: NodeId(id), name: String::new(), address: format!("n{id}:1"), state };
        let members = vec![member(1, State::Down), member(2, State::Up), member(3, State::Joining)];
        let view = View { number: 1, storage: Storage::Shared, members };
        let seeds = ["n9:1", "n2:1"].map(str::to_owned);
        assert_eq!(sources(Some(&view), &seeds), ["n2:1", "n1:1", "n3:1", "n9:1"]);
        assert_eq!(sources(None, &seeds), seeds);
    }
}
