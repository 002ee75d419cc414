//! What a cluster says of itself, as JSON for programs.

use std::collections::BTreeMap;

use serde::Serialize;
use zot_cluster::{ClusterId, JobStatus, Member, NodeId, Status, Storage};

/// A status, with the share of the repositories that each member has.
#[derive(Serialize)]
struct Shown<'a> {
    node: NodeId,
    leader: Option<NodeId>,
    term: u64,
    view: ShownView<'a>,
    jobs: &'a [JobStatus],
}

#[derive(Serialize)]
struct ShownView<'a> {
    cluster: &'a Option<ClusterId>,
    number: u64,
    storage: Storage,
    members: Vec<ShownMember<'a>>,
}

#[derive(Serialize)]
struct ShownMember<'a> {
    #[serde(flatten)]
    member: &'a Member,
    /// To a tenth; 0 of a member that owns nothing.
    share_percent: f64,
}

/// Writes a status, and the shares of its members in 1/1000.
pub(super) fn write(status: &Status, shares: &BTreeMap<NodeId, u64>) -> serde_json::Result<String> {
    let Status { node, leader, term, view, jobs } = status;
    let shown = |member| ShownMember { member, share_percent: share_of(member, shares) };
    let members = view.members.iter().map(shown).collect();
    let view = ShownView { cluster: &view.cluster, number: view.number, storage: view.storage, members };
    let shown = Shown { node: *node, leader: *leader, term: *term, view, jobs };
    serde_json::to_string_pretty(&shown).map(|text| text + "\n")
}

fn share_of(member: &Member, shares: &BTreeMap<NodeId, u64>) -> f64 {
    shares.get(&member.id).map_or(0.0, |share| *share as f64 / 10.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::example;

    #[test]
    fn a_status_is_as_it_travels_and_says_the_share_of_each_member() {
        let status = example::status();
        let text = write(&status, &BTreeMap::from([(NodeId(1), 251)])).unwrap();
        let mut shown: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
        let shares = shown["view"]["members"].as_array_mut().unwrap().iter_mut().map(|member| member["share_percent"].take());
        assert_eq!(shares.collect::<Vec<_>>(), [json!(25.1), json!(0.0)]);
    }
}
