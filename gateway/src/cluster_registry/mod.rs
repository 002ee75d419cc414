//! A cluster as one registry: every call goes to the member that owns the repository, and to the next one where that is safe and helps.
//!
//! - **Whom to ask** is computed from the newest view that any node has told (`directory`, `follow`). A call carries that view's number; a node that
//!   knows a newer one says so, and the call is made once more by the newer one.
//! - **An owner that does not answer** is passed over where all members reach the same stores, for everything that can be said twice. A body that
//!   was partly sent cannot: its client is asked to come again. With local storage nobody else has the repository.
//! - **What was learned is remembered** (`members`, `lost`): who did not answer is asked last until it answers a question that no client waits for.
//!   A member that is late is asked whether it is there; if it says nothing to that either, a read goes on with another one at once.
//! - **Nothing is made up.** A member that does not answer makes a call [`zot_contract::Error::Unavailable`], never "not found", and a list
//!   never shorter.

mod ask;
mod blobs;
mod catalog;
mod census;
mod continued;
mod directory;
mod follow;
mod lost;
mod manifests;
mod members;
mod merge;
mod replay;
mod uploads;
mod users;

use std::{fmt, sync::Arc};

use zot_cluster::{HashKey, View};
use zot_contract::Error;
use zot_proto::Dialer;
use zot_runtime::tasks::Tasks;

use self::{directory::Directory, members::Members};

/// How a cluster is found and asked.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// `host:port` of nodes that may tell who is in the cluster: some of them, until the first view is known.
    pub seeds: Vec<String>,
    /// The key under which repositories are placed.
    pub hash_key: HashKey,
    /// What makes connections to nodes.
    pub dialer: Dialer,
}

/// A registry that asks the cluster. Cloning is cheap, clones share everything.
#[derive(Clone)]
pub struct ClusterRegistry {
    directory: Arc<Directory>,
    members: Arc<Members>,
}

impl ClusterRegistry {
    /// A registry that follows the cluster's views in a task of its own. Until the first one is known, every call is
    /// [`zot_contract::Error::Unavailable`].
    pub fn start(options: ClusterOptions, tasks: &Tasks) -> Self {
        let directory = Arc::new(Directory::new(options.hash_key));
        let (members, losses) = Members::new(options.dialer.clone());
        let (looking, stop) = (lost::look_for_lost(Arc::clone(&directory), losses), tasks.stop());
        tasks.spawn("look-for-lost-members", async move {
            stop.run_until_cancelled(looking).await;
        });
        let (following, stop) = (follow::follow(Arc::clone(&directory), options.dialer, options.seeds), tasks.stop());
        tasks.spawn("follow-views", async move {
            stop.run_until_cancelled(following).await;
        });
        Self { directory, members: Arc::new(members) }
    }

    /// Whether requests can be served: a node tells of its views, and by the last one somebody owns repositories.
    pub fn is_ready(&self) -> bool {
        self.directory.is_followed() && self.view().is_some_and(|view| view.owners().next().is_some())
    }

    /// The newest view that is known.
    pub fn view(&self) -> Option<View> {
        self.directory.placement().ok().map(|placement| placement.view().clone())
    }
}

/// Something that this process does not know, or whom it does not reach, at the moment.
fn unavailable(why: &'static str) -> Error {
    Error::Unavailable { what: "storage node", retry_after: RETRY_AFTER, source: why.into() }
}

/// When a client may try again: by then another view is known, or the owner is back.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

impl fmt::Debug for ClusterRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterRegistry").field("view", &self.view().map(|view| view.number)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
