//! Which cluster is there, when nodes tell of several: one that was formed anew at the addresses of another, or one node of a cluster that is gone.
//!
//! All nodes are asked once. The cluster that this process knows is kept for as long as most of its members tell of it. Another one takes its place
//! if most of the configured nodes tell of that: then no node that is alone in what it tells can take this process along, or to and fro. Who tells
//! first of all may be such a node: until most of the configured nodes were heard of the same cluster, they decide alone.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream::FuturesUnordered};
use tokio::time::timeout;
use zot_cluster::View;
use zot_proto::{ClusterClient, Dialer};

/// How long a node may take to tell of its view.
const TELLS_WITHIN: Duration = Duration::from_secs(1);

/// What nodes told of who is in their cluster, by their addresses.
pub(super) type Census = BTreeMap<String, View>;

/// Asks nodes for their views. Those that do not answer tell nothing.
pub(super) async fn take(dialer: &Dialer, addresses: &[String]) -> Census {
    let asked: FuturesUnordered<_> = addresses.iter().map(|address| ask(dialer, address)).collect();
    asked.filter_map(std::future::ready).collect().await
}

async fn ask(dialer: &Dialer, address: &str) -> Option<(String, View)> {
    let telling = async {
        let mut views = ClusterClient::dial(dialer, address).ok()?.watch_views().await.ok()?;
        views.try_next().await.ok()?
    };
    let view = timeout(TELLS_WITHIN, telling).await.ok()??;
    Some((address.to_owned(), view))
}

/// The newest view of the cluster that has taken the place of the known one, if there is one. `seeds` are the configured nodes.
pub(super) fn successor<'a>(known: &View, census: &'a Census, seeds: &[String]) -> Option<&'a View> {
    let members: Vec<&String> = known.members.iter().map(|member| &member.address).collect();
    if tell_of(known, census, &members) { None } else { of_most(known, census, seeds) }
}

/// The newest view of another cluster than that of `told`, if most of the configured nodes tell of it.
pub(super) fn of_most<'a>(told: &View, census: &'a Census, seeds: &[String]) -> Option<&'a View> {
    let others = census.values().filter(|view| view.is_of_another_cluster(told));
    others.filter(|view| has_most(view, census, seeds)).max_by_key(|view| view.number)
}

/// Whether most of the configured nodes tell of the cluster of a view.
pub(super) fn has_most(view: &View, census: &Census, seeds: &[String]) -> bool {
    tell_of(view, census, &seeds.iter().collect::<Vec<_>>())
}

/// Whether most of these nodes tell of the cluster of a view.
fn tell_of(view: &View, census: &Census, addresses: &[&String]) -> bool {
    let telling = addresses.iter().filter(|address| census.get(**address).is_some_and(|told| !told.is_of_another_cluster(view)));
    telling.count() * 2 > addresses.len()
}

#[cfg(test)]
mod tests {
    use zot_cluster::{ClusterId, Member, NodeId, State, Storage};

    use super::*;

    fn view(cluster: &str, number: u64, members: &[&str]) -> View {
        let member = |address: &&str| Member { id: NodeId(0), name: String::new(), address: (*address).to_owned(), state: State::Up };
        View { cluster: Some(ClusterId::new(cluster)), number, storage: Storage::Shared, members: members.iter().map(member).collect() }
    }

    /// What has the place of the cluster `old`, of these members, when nodes tell of these clusters.
    fn successor_of(members: &[&str], told: &[(&str, &str)], seeds: &[&str]) -> Option<String> {
        let census = told.iter().map(|(address, cluster)| ((*address).to_owned(), view(cluster, 3, &[]))).collect();
        let seeds: Vec<String> = seeds.iter().map(|&seed| seed.to_owned()).collect();
        successor(&view("old", 40, members), &census, &seeds).and_then(|view| view.cluster.as_ref()).map(ToString::to_string)
    }

    const THREE: [&str; 3] = ["a", "b", "c"];

    #[test]
    fn a_cluster_that_was_formed_anew_takes_the_place() {
        let told = [("a", "new"), ("b", "new"), ("c", "new")];
        assert_eq!(successor_of(&THREE, &told, &THREE).as_deref(), Some("new"));
        assert_eq!(successor_of(&THREE, &told[..2], &THREE).as_deref(), Some("new"), "one is not there yet");
        let stale = [("a", "new"), ("b", "new"), ("c", "old")];
        assert_eq!(successor_of(&THREE, &stale, &THREE).as_deref(), Some("new"), "one was forgotten");
    }

    #[test]
    fn one_node_alone_does_not() {
        assert_eq!(successor_of(&THREE, &[("a", "other"), ("b", "old"), ("c", "old")], &THREE), None);
        assert_eq!(successor_of(&THREE, &[("a", "other")], &THREE), None, "although no other answers");
    }

    #[test]
    fn a_cluster_most_of_whose_members_are_there_is_kept_whatever_the_configured_nodes_say() {
        let members = ["a", "b", "c", "d", "e"];
        let told = [("a", "other"), ("b", "other"), ("c", "old"), ("d", "old"), ("e", "old")];
        assert_eq!(successor_of(&members, &told, &["a", "b"]), None);
        assert_eq!(successor_of(&members, &told[..4], &["a", "b"]).as_deref(), Some("other"));
    }

    #[test]
    fn who_tells_first_of_all_is_kept_only_if_no_other_cluster_has_most_of_the_configured_nodes() {
        let told = |told: &[(&str, &str)]| {
            let census = told.iter().map(|(address, cluster)| ((*address).to_owned(), view(cluster, 3, &[]))).collect();
            of_most(&view("alone", 90, &["c"]), &census, &THREE.map(str::to_owned)).is_some()
        };
        assert!(told(&[("a", "all"), ("b", "all"), ("c", "alone")]));
        assert!(!told(&[("a", "all"), ("c", "alone")]));
    }

    #[test]
    fn the_newest_view_of_the_other_cluster_is_taken() {
        let told = [("a", 2), ("b", 5), ("c", 4)].map(|(address, number)| (address.to_owned(), view("new", number, &[])));
        let seeds = THREE.map(str::to_owned);
        assert_eq!(successor(&view("old", 40, &THREE), &told.into(), &seeds).map(|view| view.number), Some(5));
    }
}
