//! The members that are asked: connections to each, and who does not answer.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use zot_cluster::{Member, View};
use zot_contract::{Error, Result};
use zot_proto::{Dialer, RemoteRegistry};

use super::RETRY_AFTER;

/// How long nothing may be heard of a member that was asked for something, before it is asked whether it is there.
const LATE_AFTER: Duration = Duration::from_millis(500);
/// How long it may take to answer that: it asks nobody else.
pub(super) const PONG_WITHIN: Duration = Duration::from_millis(500);

/// Connections to the members of the newest view.
pub(super) struct Members {
    dialer: Dialer,
    /// By address. Those who left the cluster go when somebody comes.
    remotes: Mutex<HashMap<String, Arc<Remote>>>,
    turns: AtomicUsize,
    lost: mpsc::UnboundedSender<Arc<Remote>>,
}

/// A member that can be asked.
pub(super) struct Remote {
    pub(super) address: String,
    registry: RemoteRegistry,
    heard: Mutex<Instant>,
    /// Whether it did not answer when it was last asked. Then others are asked first, until it is found again.
    lost: AtomicBool,
    /// Where it is announced that it was lost.
    losses: mpsc::WeakUnboundedSender<Arc<Self>>,
}

impl Members {
    /// No connections yet; members that are lost are to be looked for by whoever has the other end.
    pub(super) fn new(dialer: Dialer) -> (Self, mpsc::UnboundedReceiver<Arc<Remote>>) {
        // At most each member of the cluster is in it at a time.
        let (lost, losses) = mpsc::unbounded_channel();
        (Self { dialer, remotes: Mutex::default(), turns: AtomicUsize::new(0), lost }, losses)
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
        let remote = Remote {
            address: member.address.clone(),
            registry,
            heard: Mutex::new(Instant::now()),
            lost: AtomicBool::new(false),
            losses: self.lost.downgrade(),
        };
        let remote = Arc::new(remote);
        remotes.retain(|address, _| view.members.iter().any(|member| member.address == *address));
        remotes.insert(member.address.clone(), Arc::clone(&remote));
        Ok(remote)
    }
}

impl Remote {
    /// Notes that it did not answer, and has it looked for.
    pub(super) fn lose(self: &Arc<Self>) {
        if !self.lost.swap(true, Ordering::Relaxed)
            && let Some(losses) = self.losses.upgrade()
        {
            // Nobody looks for members when this process ends.
            losses.send(Arc::clone(self)).ok();
        }
    }

    /// Notes that it answered.
    pub(super) fn find(&self) {
        *self.heard.lock() = Instant::now();
        self.lost.store(false, Ordering::Relaxed);
    }

    /// Whether others should be asked first.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Ends when it does not even answer that it is there. It does not end for a member that is only slow.
    pub(super) async fn falls_silent(&self) {
        loop {
            sleep(LATE_AFTER).await;
            let was_heard = self.heard.lock().elapsed() < LATE_AFTER;
            if was_heard {
                continue;
            }
            if !self.registry.answers(PONG_WITHIN).await {
                return;
            }
            *self.heard.lock() = Instant::now();
        }
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
        View { cluster: None, number: 1, storage: Storage::Shared, members: addresses.iter().map(member).collect() }
    }

    #[tokio::test]
    async fn connections_to_those_who_left_are_given_up() {
        let (members, _losses) = Members::new(Dialer::plain());
        for addresses in [["a:1", "b:1"], ["b:1", "c:1"], ["c:1", "d:1"]] {
            let view = view(&addresses);
            view.members.iter().for_each(|member| drop(members.remote(member, &view).unwrap()));
        }
        let mut kept: Vec<String> = members.remotes.lock().keys().cloned().collect();
        kept.sort();
        assert_eq!(kept, ["c:1", "d:1"]);
    }

    #[tokio::test]
    async fn who_did_not_answer_is_asked_last_until_it_is_found_and_is_looked_for_once() {
        let (members, mut losses) = Members::new(Dialer::plain());
        let view = view(&["a:1"]);
        let remote = members.remote(&view.members[0], &view).unwrap();
        assert!(!remote.is_lost());
        remote.lose();
        remote.lose();
        assert!(members.remote(&view.members[0], &view).unwrap().is_lost());
        assert_eq!(losses.try_recv().unwrap().address, "a:1");
        assert!(losses.try_recv().is_err());
        remote.find();
        assert!(!remote.is_lost());
    }
}
