//! What can go wrong, named by what the caller can do.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use zot_cluster::NodeId;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A node cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be read or written, or another process uses it.
    #[error("open the cluster's state in `{directory}`", directory = directory.display())]
    Directory {
        /// The node's directory.
        directory: PathBuf,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// The timings contradict each other.
    #[error("check the timings of the cluster")]
    Timings(#[source] BoxError),
    /// The node was removed from a cluster whose members have disks of their own: it cannot come back, and nobody there has what it keeps.
    #[error(
        "this node was removed from its cluster, which lets nobody in because its members have disks of their own. What it keeps is still \
         there: serve it by a configuration without `cluster`, or empty `{directory}` to form another cluster",
        directory = directory.display()
    )]
    Removed {
        /// The node's directory.
        directory: PathBuf,
    },
}

/// An operation failed. What was asked for may still happen later if the error is [`Error::NoMajority`], [`Error::NoLeader`] or [`Error::Unreachable`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Error {
    /// The cluster has no leader at present, or none that this node can find.
    #[error("no leader was found in time")]
    NoLeader,
    /// The leader does not reach enough members.
    #[error("no majority: {} not answer", do_not(silent))]
    NoMajority {
        /// The names of the voters that it does not hear from.
        silent: Vec<String>,
    },
    /// This node does not lead.
    #[error("the node asked does not lead")]
    NotLeader {
        /// Who does, as far as it knows.
        leader: Option<Contact>,
    },
    /// The node has no cluster yet.
    #[error("the node belongs to no cluster yet")]
    NoCluster,
    /// The node belongs to a cluster already, or to another one than the message.
    #[error("the node belongs to another cluster")]
    OtherCluster,
    /// Another node is at the address: its directory was emptied, or the address was given to somebody else.
    #[error("the message is for another node")]
    OtherNode,
    /// The node keeps content in something else than the cluster.
    #[error("the cluster and the node keep content in different kinds of storage")]
    OtherStorage,
    /// The members have disks of their own: their repositories stay where they are, so that nobody else can own any.
    #[error(
        "the members of a cluster with local storage are those that formed it: a node that lost its disk, or is another one, cannot join"
    )]
    FixedMembers,
    /// A member with a disk of its own would take its repositories along.
    #[error(
        "its disk alone has the repositories of `{name}`{}, and they would be lost: copy what is wanted to another registry first, or let \
         the node come back with its directories; with --lose-repositories it is removed all the same",
        if *users { ", and the records of all users" } else { "" }
    )]
    KeepsRepositories {
        /// The name of the member.
        name: String,
        /// Whether it keeps the records of users, too.
        users: bool,
    },
    /// Nobody can take over what a member has on a disk of its own.
    #[error(
        "its disk alone has the repositories of `{name}`, and nobody can take them over: end it as it is, they answer again when it is back"
    )]
    NoHeir {
        /// The name of the member.
        name: String,
    },
    /// No member has the identity.
    #[error("no member has the identity {0}")]
    UnknownMember(NodeId),
    /// The last voting member cannot be removed.
    #[error("the last member cannot be removed")]
    LastMember,
    /// Another change of the members is being agreed on.
    #[error("another change of the members is under way")]
    Busy,
    /// This node was removed from its cluster.
    #[error("the node was removed from its cluster")]
    Removed,
    /// This node is closed, or its disk failed.
    #[error("the node takes no part any more")]
    Closed,
    /// Another node could not be reached.
    #[error("reach `{address}`: {reason}")]
    Unreachable {
        /// The node's address.
        address: String,
        /// Why not.
        reason: String,
    },
    /// A message cannot be read: it is from a release too far away.
    #[error("read a message: {0}")]
    Malformed(String),
}

/// Where a node is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The node.
    pub id: NodeId,
    /// Its address, as `host:port`.
    pub address: String,
}

fn do_not(names: &[String]) -> String {
    match names {
        [] => "others do".to_owned(),
        [name] => format!("{name} does"),
        names => format!("{} do", names.join(", ")),
    }
}
