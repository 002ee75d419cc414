//! The members that are asked: connections to each, and who did not answer lately.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;
use zot_cluster::{Member, View};
use zot_contract::{Error, Result};
use zot_proto::{Dialer, RemoteRegistry};

use super::RETRY_AFTER;

/// How long a member that did not answer is asked after the others, so that not every call waits for it. The members themselves notice within
/// seconds and agree on a view without it.
const PASSED_OVER_FOR: Duration = Duration::from_secs(3);

/// Connections to the members of the newest view.
pub(super) struct Members {
    dialer: Dialer,
    /// By address. Those who left the cluster go when somebody comes.
    remotes: Mutex<HashMap<String, Arc<Remote>>>,
    turns: AtomicUsize,
}

/// A member that can be asked.
pub(super) struct Remote {
    registry: RemoteRegistry,
    lost: Mutex<Option<Instant>>,
}

impl Members {
    pub(super) fn new(dialer: Dialer) -> Self {
        Self { dialer, remotes: Mutex::default(), turns: AtomicUsize::new(0) }
    }

    /// Grows with each call: whom to begin with where anybody will do.
    pub(super) fn turn(&self) -> usize {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// The way to a member of `view`.
    pub(super) fn remote(&self, member: &Member, view: &View) -> Result<Arc<Remote>> {
        let mut remotes = self.remotes.lock();
        if let Some(remote) = remotes.get(&member.address) {
            return Ok(Arc::clone(remote));
        }
        let registry = RemoteRegistry::dial(&self.dialer, &member.address);
        let registry =
            registry.map_err(|error| Error::Unavailable { what: "storage node", retry_after: RETRY_AFTER, source: error.into() })?;
        let remote = Arc::new(Remote { registry, lost: Mutex::new(None) });
        remotes.retain(|address, _| view.members.iter().any(|member| member.address == *address));
        remotes.insert(member.address.clone(), Arc::clone(&remote));
        Ok(remote)
    }
}

impl Remote {
    /// Notes that it did not answer.
    pub(super) fn lose(&self) {
        *self.lost.lock() = Some(Instant::now());
    }

    /// Notes that it answered.
    pub(super) fn find(&self) {
        *self.lost.lock() = None;
    }

    /// Whether others should be asked first.
    pub(super) fn is_passed_over(&self) -> bool {
        self.lost.lock().is_some_and(|lost| lost.elapsed() < PASSED_OVER_FOR)
    }
}

impl Deref for Remote {
    type Target = RemoteRegistry;

    fn deref(&self) -> &RemoteRegistry {
        &self.registry
    }
}

#[cfg(test)]
mod tests {
    use zot_cluster::{NodeId, State, Storage};

    use super::*;

    fn view(addresses: &[&str]) -> View {
        let member = |address: &&str| Member { id: NodeId(1), name: String::new(), address: (*address).to_owned(), state: State::Up };
        View { number: 1, storage: Storage::Shared, members: addresses.iter().map(member).collect() }
    }

    #[tokio::test]
    async fn connections_to_those_who_left_are_given_up() {
        let members = Members::new(Dialer::plain());
        for addresses in [["a:1", "b:1"], ["b:1", "c:1"], ["c:1", "d:1"]] {
            let view = view(&addresses);
            view.members.iter().for_each(|member| drop(members.remote(member, &view).unwrap()));
        }
        let mut kept: Vec<String> = members.remotes.lock().keys().cloned().collect();
        kept.sort();
        assert_eq!(kept, ["c:1", "d:1"]);
    }

    #[tokio::test]
    async fn who_did_not_answer_is_passed_over_until_it_does() {
        let (members, view) = (Members::new(Dialer::plain()), view(&["a:1"]));
        let remote = members.remote(&view.members[0], &view).unwrap();
        assert!(!remote.is_passed_over());
        remote.lose();
        assert!(members.remote(&view.members[0], &view).unwrap().is_passed_over());
        remote.find();
        assert!(!remote.is_passed_over());
    }
}
