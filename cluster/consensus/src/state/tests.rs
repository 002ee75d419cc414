//! The agreed state, entry by entry.

use openraft::CommittedLeaderId;

use super::*;
use crate::raft::Peer;

fn log_id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, NodeId(1)), index)
}

fn of_members(voters: &[u64], learners: &[u64]) -> Agreed {
    let peer = |id: &u64| (NodeId(*id), Peer { name: format!("n{id}"), address: format!("n{id}:9090") });
    let nodes: BTreeMap<NodeId, Peer> = voters.iter().chain(learners).map(peer).collect();
    let voters = voters.iter().copied().map(NodeId).collect();
    let mut agreed = Agreed::default();
    agreed.follow(log_id(1), Membership::new(vec![voters], nodes));
    agreed
}

fn states(agreed: &Agreed) -> Vec<MemberState> {
    agreed.members().into_iter().map(|member| member.state).collect()
}

fn holder(node: u64, token: u64) -> Holder {
    Holder { node: NodeId(node), incarnation: 7, token }
}

fn grant(epoch: u64, renewals: u64, holder: Holder) -> Command {
    Command::Grant { job: "sweep".to_owned(), turn: Turn { epoch, renewals }, holder, length_ms: 1000 }
}

#[test]
fn members_that_only_follow_are_joining() {
    let mut agreed = of_members(&[1, 2], &[3]);
    agreed.carry_out(Command::Presence { node: NodeId(3), present: false });
    assert_eq!(states(&agreed), [MemberState::Up, MemberState::Up, MemberState::Joining]);
}

#[test]
fn a_member_that_drained_drains_still_when_it_is_back() {
    let mut agreed = of_members(&[1, 2], &[]);
    agreed.carry_out(Command::Drain { node: NodeId(2), draining: true });
    assert_eq!(states(&agreed)[1], MemberState::Draining);
    agreed.carry_out(Command::Presence { node: NodeId(2), present: false });
    assert_eq!(states(&agreed)[1], MemberState::Down);
    agreed.carry_out(Command::Presence { node: NodeId(2), present: true });
    assert_eq!(states(&agreed)[1], MemberState::Draining);
    agreed.carry_out(Command::Drain { node: NodeId(2), draining: false });
    assert_eq!(states(&agreed)[1], MemberState::Up);
}

#[test]
fn nothing_is_noted_of_strangers_and_nothing_kept_of_those_who_left() {
    let mut agreed = of_members(&[1, 2], &[]);
    assert_eq!(agreed.carry_out(Command::Drain { node: NodeId(9), draining: true }), Outcome::Refused);
    agreed.carry_out(Command::Drain { node: NodeId(2), draining: true });
    agreed.follow(log_id(2), of_members(&[1], &[]).membership.membership().clone());
    agreed.follow(log_id(3), of_members(&[1, 2], &[]).membership.membership().clone());
    assert_eq!(states(&agreed), [MemberState::Up, MemberState::Up]);
}

#[test]
fn a_job_is_granted_only_to_who_saw_its_last_turn() {
    let mut agreed = of_members(&[1, 2], &[]);
    assert_eq!(agreed.carry_out(grant(0, 0, holder(1, 1))), Outcome::Granted(1));
    assert_eq!(agreed.carry_out(grant(0, 0, holder(2, 2))), Outcome::Refused, "it was granted meanwhile");
    let renew = Command::Renew { job: "sweep".to_owned(), epoch: 1, holder: holder(1, 1) };
    assert_eq!(agreed.carry_out(renew.clone()), Outcome::Done);
    assert_eq!(agreed.carry_out(grant(1, 0, holder(2, 2))), Outcome::Refused, "it was renewed meanwhile");
    assert_eq!(agreed.carry_out(grant(1, 1, holder(2, 2))), Outcome::Granted(2));
    assert_eq!(agreed.carry_out(renew), Outcome::Refused, "the former holder cannot keep it");
}

#[test]
fn only_the_holder_gives_a_job_back_and_only_its_epoch_is_noted() {
    let mut agreed = of_members(&[1, 2], &[]);
    agreed.carry_out(grant(0, 0, holder(1, 1)));
    let release = |holder| Command::Release { job: "sweep".to_owned(), epoch: 1, holder };
    assert_eq!(agreed.carry_out(release(holder(1, 9))), Outcome::Refused);
    assert_eq!(agreed.carry_out(release(holder(1, 1))), Outcome::Done);
    let run = |epoch| Command::RecordRun { job: "sweep".to_owned(), epoch, at_unix_ms: 5, result: "3 removed".to_owned() };
    assert_eq!(agreed.carry_out(run(0)), Outcome::Refused);
    assert_eq!(agreed.carry_out(run(1)), Outcome::Done);
    assert_eq!(agreed.jobs["sweep"].last_result.as_deref(), Some("3 removed"));
}

#[test]
fn records_of_neighbouring_releases_are_read() {
    let command: Command = serde_json::from_str(r#"{"drain":{"node":2,"draining":true,"since":5}}"#).unwrap();
    assert_eq!(command, Command::Drain { node: NodeId(2), draining: true });
    let job: Job = serde_json::from_str(r#"{"turn":{"epoch":3,"renewals":0},"colour":"red"}"#).unwrap();
    assert_eq!(job.turn.epoch, 3);
}
