//! Follows the cluster's views: one node's stream at a time, another one's when it ends, falls silent or falls behind.

use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};

use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{BoxStream, FuturesUnordered},
};
use tokio::time::sleep;
use zot_cluster::{ClusterId, State, View};
use zot_proto::{ClusterClient, Dialer, PlaneError};
use zot_runtime::telemetry::chain;

use super::{
    census,
    directory::{Directory, Told},
};

/// How long one node is followed. A node that is cut off from the others, but not from here, keeps telling of the last view that it knew.
const FOLLOWED_MAX: Duration = Duration::from_secs(30);
/// How long a node may take to tell of its view before the next one is asked as well.
const TELLS_WITHIN: Duration = Duration::from_millis(200);
/// How long it is waited after no node could be followed; twice as long after each further time.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Why a node is followed no more.
const ENDED: &str = "the node ended its stream of views";

/// Why a node is not followed.
const OF_ANOTHER_CLUSTER: &str = "the node belongs to another cluster";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A node that tells of its views.
struct Source<'a> {
    address: &'a str,
    views: BoxStream<'static, Result<View, PlaneError>>,
}

/// Follows the views for as long as it is polled.
pub(super) async fn follow(directory: Arc<Directory>, dialer: Dialer, seeds: Vec<String>) {
    let (mut turn, mut pause, mut settled, mut strangers) = (0_usize, PAUSE_FIRST, false, BTreeSet::new());
    loop {
        let known = directory.placement().ok();
        let mut sources = sources(known.as_deref().map(zot_cluster::Placement::view), &seeds);
        let first = turn % sources.len().max(1);
        sources.rotate_left(first);
        turn = turn.wrapping_add(1);
        let (told, met_stranger) = first_to_tell(&directory, &dialer, &sources).await;
        if (met_stranger || !settled) && look_for_successor(&directory, &dialer, (&sources, &seeds), &mut settled, &mut strangers).await {
            continue;
        }
        match told {
            Ok(source) => {
                pause = PAUSE_FIRST;
                let address = source.address;
                if let Err(error) = follow_one(&directory, source).await {
                    tracing::warn!(address, error = %chain(&*error), "no longer told of the cluster's views");
                }
            }
            Err(error) => {
                tracing::debug!(error = %chain(&*error), "could not follow the cluster's views");
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// The first of some nodes that tells of its view, and whether one before it told of another cluster. They are asked in turn, without waiting long
/// for one before the next.
async fn first_to_tell<'a>(directory: &Directory, dialer: &Dialer, addresses: &'a [String]) -> (Result<Source<'a>, BoxError>, bool) {
    let (mut failed, mut asked): (BoxError, _) = ("nobody is known who could tell".into(), FuturesUnordered::new());
    let (mut addresses, mut met_stranger) = (addresses.iter(), false);
    loop {
        let next = addresses.next();
        let is_last = next.is_none();
        asked.extend(next.map(|address| ask(directory, dialer, address)));
        let mut late = pin!(sleep(TELLS_WITHIN));
        loop {
            tokio::select! {
                told = asked.next() => match told {
                    Some(Ok((source, Told::Newer | Told::Known))) => return (Ok(source), met_stranger),
                    Some(Ok((_, Told::OfAnotherCluster))) => (failed, met_stranger) = (OF_ANOTHER_CLUSTER.into(), true),
                    Some(Err(error)) => failed = error,
                    None if is_last => return (Err(failed), met_stranger),
                    None => break,
                },
                () = &mut late, if !is_last => break,
            }
        }
    }
}

/// Asks a node to tell of its views, and notes the first one.
async fn ask<'a>(directory: &Directory, dialer: &Dialer, address: &'a str) -> Result<(Source<'a>, Told), BoxError> {
    let mut views = ClusterClient::dial(dialer, address)?.watch_views().await?;
    let told = note(directory, views.try_next().await?.ok_or(ENDED)?);
    Ok((Source { address, views }, told))
}

/// Goes over to the cluster that has taken the place of the known one, if there is one; returns whether there was. The known one is `settled` once
/// most of the configured nodes told of it: before, it may be that of a node which is a stranger to all others. `strangers` are those that told of
/// another cluster than the known one before.
async fn look_for_successor(
    directory: &Directory,
    dialer: &Dialer,
    (sources, seeds): (&[String], &[String]),
    settled: &mut bool,
    strangers: &mut BTreeSet<String>,
) -> bool {
    let Ok(known) = directory.placement() else { return false };
    let census = census::take(dialer, sources).await;
    let successor = if *settled { census::successor } else { census::of_most };
    if let Some(successor) = successor(known.view(), &census, seeds) {
        let (before, after) = (name(known.view()), name(successor));
        tracing::warn!(
            before,
            after,
            "most of the configured nodes belong to cluster {after}: it is asked from now on, instead of {before}"
        );
        directory.replace(successor.clone());
        *settled = true;
        return true;
    }
    *settled |= census::has_most(known.view(), &census, seeds);
    let told = census.iter().filter(|(_, view)| view.is_of_another_cluster(known.view()));
    let now: BTreeSet<String> = told.map(|(address, _)| address.clone()).collect();
    if *strangers != now && !now.is_empty() {
        tracing::warn!(addresses = ?now, "nodes belong to another cluster, and are not asked");
    }
    *strangers = now;
    false
}

fn name(view: &View) -> &str {
    view.cluster.as_ref().map_or("unknown", ClusterId::as_str)
}

/// Follows a node's views, until it is another one's turn.
async fn follow_one(directory: &Directory, Source { mut views, .. }: Source<'_>) -> Result<(), BoxError> {
    let mut long_enough = pin!(sleep(FOLLOWED_MAX));
    loop {
        tokio::select! {
            view = views.try_next() => {
                if note(directory, view?.ok_or(ENDED)?) == Told::OfAnotherCluster {
                    return Err(OF_ANOTHER_CLUSTER.into());
                }
            }
            () = directory.fell_behind() => return Ok(()),
            () = &mut long_enough => return Ok(()),
        }
    }
}

fn note(directory: &Directory, view: View) -> Told {
    let (number, members) = (view.number, view.members.len());
    let told = directory.take(view);
    if told == Told::Newer {
        tracing::info!(view = number, members, "learned who is in the cluster");
    }
    if told != Told::OfAnotherCluster {
        directory.hear();
    }
    told
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
        let view = View { cluster: None, number: 1, storage: Storage::Shared, members };
        let seeds = ["n9:1", "n2:1"].map(str::to_owned);
        assert_eq!(sources(Some(&view), &seeds), ["n2:1", "n1:1", "n3:1", "n9:1"]);
        assert_eq!(sources(None, &seeds), seeds);
    }
}
