//! Members, views and what a cluster says of itself, on the wire.

use zot_cluster::{ClusterId, JobStatus, Member, NodeId, State, Status, Storage, View};

use super::{Malformed, required};
use crate::v1::{self, MemberState, StorageKind};

impl From<&View> for v1::View {
    fn from(view: &View) -> Self {
        let storage = match view.storage {
            Storage::Shared => StorageKind::Shared,
            Storage::Local => StorageKind::Local,
        };
        Self {
            number: view.number,
            storage: storage.into(),
            members: view.members.iter().map(v1::Member::from).collect(),
            cluster: view.cluster.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<v1::View> for View {
    type Error = Malformed;

    fn try_from(wire: v1::View) -> Result<Self, Malformed> {
        let storage = match wire.storage() {
            StorageKind::Shared => Storage::Shared,
            StorageKind::Local => Storage::Local,
            StorageKind::Unspecified => return Err(Malformed::Missing { field: "kind of storage" }),
        };
        let members = wire.members.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(Self { cluster: wire.cluster.map(ClusterId::new), number: wire.number, storage, members })
    }
}

impl From<&Member> for v1::Member {
    fn from(member: &Member) -> Self {
        let state = match member.state {
            State::Joining => MemberState::Joining,
            State::Up => MemberState::Up,
            State::Draining => MemberState::Draining,
            State::Down => MemberState::Down,
        };
        Self { id: member.id.0, name: member.name.clone(), address: member.address.clone(), state: state.into() }
    }
}

impl TryFrom<v1::Member> for Member {
    type Error = Malformed;

    fn try_from(wire: v1::Member) -> Result<Self, Malformed> {
        let state = match wire.state() {
            MemberState::Joining => State::Joining,
            MemberState::Up => State::Up,
            MemberState::Draining => State::Draining,
            MemberState::Down => State::Down,
            MemberState::Unspecified => return Err(Malformed::Missing { field: "state of a member" }),
        };
        Ok(Self { id: NodeId(wire.id), name: wire.name, address: wire.address, state })
    }
}

impl From<Status> for v1::ClusterStatus {
    fn from(status: Status) -> Self {
        Self {
            node: status.node.0,
            leader: status.leader.map(|leader| leader.0),
            term: status.term,
            view: Some((&status.view).into()),
            jobs: status.jobs.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::ClusterStatus> for Status {
    type Error = Malformed;

    fn try_from(wire: v1::ClusterStatus) -> Result<Self, Malformed> {
        Ok(Self {
            node: NodeId(wire.node),
            leader: wire.leader.map(NodeId),
            term: wire.term,
            view: required("view", wire.view)?,
            jobs: wire.jobs.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<JobStatus> for v1::JobStatus {
    fn from(job: JobStatus) -> Self {
        Self {
            name: job.name,
            holder: job.holder.map(|holder| holder.0),
            epoch: job.epoch,
            last_run_unix_milliseconds: job.last_run_unix_ms,
            last_result: job.last_result,
        }
    }
}

impl From<v1::JobStatus> for JobStatus {
    fn from(wire: v1::JobStatus) -> Self {
        Self {
            name: wire.name,
            holder: wire.holder.map(NodeId),
            epoch: wire.epoch,
            last_run_unix_ms: wire.last_run_unix_milliseconds,
            last_result: wire.last_result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(storage: Storage) -> View {
        let states = [State::Joining, State::Up, State::Draining, State::Down];
        let member = |(id, state)| Member { id: NodeId(id), name: format!("n{id}"), address: format!("n{id}:1"), state };
        View { cluster: Some(ClusterId::new("c")), number: u64::MAX, storage, members: (0..).zip(states).map(member).collect() }
    }

    #[test]
    fn views_and_what_is_said_of_the_cluster_come_back_as_they_went_in() {
        for storage in [Storage::Shared, Storage::Local] {
            let view = view(storage);
            assert_eq!(View::try_from(v1::View::from(&view)).unwrap(), view);
            let (name, last_result) = ("reap-uploads".to_owned(), Some("3 uploads".to_owned()));
            let job = JobStatus { name, holder: Some(NodeId(2)), epoch: 7, last_run_unix_ms: Some(1), last_result };
            let status = Status { node: NodeId(1), leader: Some(NodeId(3)), term: 4, view, jobs: vec![job] };
            assert_eq!(Status::try_from(v1::ClusterStatus::from(status.clone())).unwrap(), status);
        }
    }

    #[test]
    fn what_a_view_does_not_say_is_not_made_up() {
        let wire = v1::View::from(&view(Storage::Shared));
        let mut stateless = wire.clone();
        stateless.members[0].state = 99;
        for wrong in [v1::View { storage: 0, ..wire.clone() }, v1::View { storage: 99, ..wire }, stateless] {
            assert!(View::try_from(wrong).is_err());
        }
    }
}
