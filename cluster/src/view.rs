//! Who is in the cluster, at one point of its history.

use serde::{Deserialize, Serialize};

use crate::{ClusterId, Member, NodeId, State};

/// Whether a member may go although content is lost with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Not if nobody else has what it keeps.
    #[default]
    Refused,
    /// Whatever it keeps.
    Accepted,
}

/// Who is in a cluster. Its views are numbered in the order in which they were agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Which cluster; releases before this one do not say.
    #[serde(default)]
    pub cluster: Option<ClusterId>,
    /// Grows with every change.
    pub number: u64,
    /// What the members keep content in.
    pub storage: Storage,
    /// The members, in the order of their identities.
    pub members: Vec<Member>,
}

/// What the members keep content in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// In stores that all of them reach: any member can serve any repository.
    Shared,
    /// Each on a disk of its own: a repository is where it was first pushed to, whatever state that member is in.
    Local,
}

impl View {
    /// Whether two views are certainly of two clusters, so that their numbers say nothing of each other.
    pub fn is_of_another_cluster(&self, than: &Self) -> bool {
        self.cluster.is_some() && than.cluster.is_some() && self.cluster != than.cluster
    }

    /// A member by its identity.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    /// The members that repositories may be placed on.
    pub fn owners(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| match self.storage {
            Storage::Shared => member.state == State::Up,
            Storage::Local => member.state != State::Joining,
        })
    }

    /// The member that has the records of all users, where each has a disk of its own; whatever its state, so that no change of members but its
    /// own takes them elsewhere.
    pub fn keeper_of_users(&self) -> Option<&Member> {
        self.owners().min_by(|one, other| one.address.cmp(&other.address))
    }
}
