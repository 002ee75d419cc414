//! What the parts of a node share, and how it asks its leader.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use zot_cluster::NodeId;
use zot_runtime::tasks::Tasks;

use crate::{
    clock::{Attendance, LeaderContact},
    consensus::Standing,
    error::{Contact, Error},
    options::{Options, Timings},
    outbound::Outbound,
    raft::Raft,
    random::Random,
    store::{Applied, Store},
    wire::{Answer, Question, Request},
};

/// How long to wait before the leader is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What the parts of a node share.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    /// This run of the process: leases of another run of the same node ended with it.
    pub(crate) incarnation: u64,
    pub(crate) random: Random,
    pub(crate) options: Options,
    /// Whether it belonged to a cluster before this run of its process.
    pub(crate) returns: bool,
    pub(crate) raft: Raft,
    pub(crate) store: Store,
    pub(crate) applied: Arc<Applied>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) tasks: Tasks,
    pub(crate) leader_contact: Mutex<LeaderContact>,
    pub(crate) attendance: Mutex<Attendance>,
    /// Whether this node is about to stop: it lets nobody know any more that it is there.
    pub(crate) aside: AtomicBool,
    /// Held while the members change.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) standing: watch::Sender<Standing>,
    /// Addresses to find a cluster at: those of the configuration, and those that invited this node.
    pub(crate) seeds: Mutex<Vec<String>>,
}

impl Node {
    pub(crate) fn start(self: &Arc<Self>) {
        let node = Arc::clone(self);
        self.spawn("join-cluster", async move { node.find_cluster().await });
        let node = Arc::clone(self);
        self.spawn("watch-leader", async move { node.watch_leader().await });
        let node = Arc::clone(self);
        self.spawn("be-present", async move { node.be_present().await });
        let node = Arc::clone(self);
        self.spawn("lead-cluster", async move { node.lead_cluster().await });
        let node = Arc::clone(self);
        self.spawn("watch-raft", async move { node.watch_raft().await });
    }

    /// Runs until it ends or the node is closed.
    fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let stop = self.tasks.stop();
        self.tasks.spawn(name, async move {
            stop.run_until_cancelled(future).await;
        });
    }

    pub(crate) fn timings(&self) -> &Timings {
        &self.options.timings
    }

    pub(crate) fn is_removed(&self) -> bool {
        matches!(*self.standing.borrow(), Standing::Removed | Standing::Forgotten)
    }

    /// The leader as far as this node knows.
    pub(crate) fn leader(&self) -> Option<Contact> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let id = metrics.current_leader?;
        let peer = metrics.membership_config.membership().get_node(&id)?;
        Some(Contact { id, address: peer.address.clone() })
    }

    /// Has the leader do something, whoever that is: at most one hop, and again while there is time, if nobody leads or the leader is out of reach.
    pub(crate) async fn request(&self, request: Request) -> Result<Answer, Error> {
        let deadline = Instant::now() + self.timings().operation;
        let mut hint = None;
        loop {
            if self.is_removed() {
                return Err(Error::Removed);
            }
            let leader = hint.take().or_else(|| self.leader());
            let within = deadline.saturating_duration_since(Instant::now());
            let result = match leader {
                Some(leader) if leader.id == self.id => self.lead(request.clone()).await,
                Some(leader) => self.outbound.ask_node(&leader, Question::Lead(request.clone()), within).await,
                None => Err(if self.outbound.cluster().is_none() { Error::NoCluster } else { Error::NoLeader }),
            };
            match &result {
                Err(Error::NotLeader { leader }) => hint = leader.clone().filter(|leader| leader.id != self.id),
                Err(Error::NoLeader | Error::Unreachable { .. } | Error::Busy) => {}
                _ => return result,
            }
            if Instant::now() + LOOK_AGAIN >= deadline {
                return result.map_err(|error| if matches!(error, Error::NotLeader { .. }) { Error::NoLeader } else { error });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Notices that the others removed this node, in this run of its process or before, and knows nothing of its cluster any more but its name.
    pub(crate) async fn end_as(&self, removed: Standing) {
        if self.is_removed() {
            return;
        }
        if let Err(error) = self.store.set_removed().await {
            tracing::error!(error = %zot_runtime::telemetry::chain(&*error), "could not note that this node was removed from its cluster");
        }
        self.standing.send_replace(removed);
        tracing::warn!(node = %self.id, "this node was removed from its cluster");
        if timeout(self.timings().operation, self.raft.shutdown()).await.is_err() {
            tracing::warn!("raft did not stop in time");
        }
        self.applied.forget();
    }

    /// Says so when Raft stops because the disk failed.
    async fn watch_raft(&self) {
        let mut metrics = self.raft.metrics();
        let Ok(stopped) = metrics.wait_for(|metrics| metrics.running_state.is_err()).await else { return };
        if let Err(error) = &stopped.running_state
            && !self.is_removed()
            && !self.tasks.stop().is_cancelled()
        {
            tracing::error!(%error, "this node takes no part in its cluster any more");
            self.standing.send_replace(Standing::Failed(error.to_string()));
        }
    }
}
