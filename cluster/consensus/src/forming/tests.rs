//! What a node does after having asked around.

use super::*;

fn seed(id: u64, answer: Option<Option<&str>>) -> (String, Result<Hello, Error>) {
    let hello = answer.map(|cluster| Hello { id: NodeId(id), name: format!("n{id}"), cluster: cluster.map(ClusterId::new), bound: false });
    (format!("n{id}:9090"), hello.ok_or(Error::NoLeader))
}

fn names(step: Step) -> Vec<String> {
    let Step::Form(nodes) = step else { panic!("{step:?}") };
    nodes.into_values().map(|peer| peer.name).collect()
}

const SILENT: Option<Option<&str>> = None;
const EMPTY: Option<Option<&str>> = Some(None);
const MEMBER: Option<Option<&str>> = Some(Some("c"));

#[test]
fn the_first_node_forms_a_cluster_with_those_that_answered() {
    let seeds = vec![seed(1, EMPTY), seed(2, EMPTY), seed(3, SILENT)];
    assert_eq!(names(step(NodeId(1), &seeds, false, Storage::Shared)), ["n1", "n2"]);
}

#[test]
fn no_other_node_forms_one() {
    let seeds = vec![seed(1, EMPTY), seed(2, EMPTY), seed(3, EMPTY)];
    assert_eq!(step(NodeId(2), &seeds, false, Storage::Shared), Step::Wait("n1:9090 to form a cluster".to_owned()));
}

#[test]
fn no_cluster_is_formed_without_a_majority() {
    let seeds = vec![seed(1, EMPTY), seed(2, SILENT), seed(3, SILENT)];
    let reason = "a majority of the configured nodes: n2:9090, n3:9090 do not answer";
    assert_eq!(step(NodeId(1), &seeds, false, Storage::Shared), Step::Wait(reason.to_owned()));
    assert!(matches!(step(NodeId(1), &vec![seed(1, EMPTY), seed(2, SILENT)], false, Storage::Shared), Step::Wait(_)));
}

#[test]
fn a_first_node_that_lost_its_directory_joins_the_others() {
    let seeds = vec![seed(1, EMPTY), seed(2, SILENT), seed(3, MEMBER)];
    assert_eq!(step(NodeId(1), &seeds, false, Storage::Shared), Step::Join(vec!["n3:9090".to_owned()]));
}

#[test]
fn no_cluster_is_formed_with_a_node_that_was_removed_from_one() {
    let mut seeds = vec![seed(1, EMPTY), seed(2, SILENT), seed(3, EMPTY)];
    seeds[2].1.as_mut().unwrap().bound = true;
    let reason = "the cluster that n3:9090 was in (if it is gone, empty `cluster.directory` there)";
    assert_eq!(step(NodeId(1), &seeds, false, Storage::Shared), Step::Wait(reason.to_owned()));
    seeds[1] = seed(2, MEMBER);
    assert_eq!(step(NodeId(1), &seeds, false, Storage::Shared), Step::Join(vec!["n2:9090".to_owned()]));
}

#[test]
fn a_node_knows_itself_under_another_address_by_its_identity() {
    let mut seeds = vec![seed(1, EMPTY), seed(2, EMPTY)];
    seeds[0].0 = "localhost:9090".to_owned();
    assert_eq!(names(step(NodeId(1), &seeds, false, Storage::Shared)), ["n1", "n2"]);
}

#[test]
fn nodes_with_disks_of_their_own_wait_for_all_of_them() {
    let seeds = vec![seed(1, EMPTY), seed(2, EMPTY), seed(3, SILENT)];
    let reason = "all configured nodes: n3:9090 do not answer";
    assert_eq!(step(NodeId(1), &seeds, false, Storage::Local), Step::Wait(reason.to_owned()));
    let seeds = vec![seed(1, EMPTY), seed(2, EMPTY), seed(3, EMPTY)];
    assert_eq!(names(step(NodeId(1), &seeds, false, Storage::Local)), ["n1", "n2", "n3"]);
}
