//! A node of the cluster: opened, asked, closed.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use openraft::{Config, SnapshotPolicy};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use zot_cluster::{NodeId, Status, View};
use zot_runtime::tasks::Tasks;

use crate::{
    clock::{Attendance, LeaderContact},
    error::{BoxError, Contact, Error, OpenError},
    options::{Options, Timings, Transport},
    outbound::{Links, Outbound},
    raft::Raft,
    random,
    store::{Applied, Machine, Store},
    wire::{Answer, Question, Request},
};

/// Entries of the log that are kept although a snapshot holds them, for followers that are a little behind.
const KEPT_ENTRIES: u64 = 200;

/// Most entries in one message.
const MESSAGE_ENTRIES_MAX: u64 = 64;

/// How long to wait before the leader is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A node of the cluster; clones share it.
///
/// It works in the background until [`Consensus::close`].
#[derive(Clone)]
pub struct Consensus(pub(crate) Arc<Node>);

/// Where a node stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is in no cluster yet, and says what it waits for.
    Waiting(String),
    /// It is a member, joining or joined.
    Member,
    /// It was removed: it takes no part any more.
    Removed,
    /// Its disk failed: it takes no part until its process starts again.
    Failed(String),
}

/// What the parts of a node share.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    /// This run of the process: leases of another run of the same node ended with it.
    pub(crate) incarnation: u64,
    pub(crate) options: Options,
    pub(crate) raft: Raft,
    pub(crate) store: Store,
    pub(crate) applied: Arc<Applied>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) tasks: Tasks,
    pub(crate) leader_contact: Mutex<LeaderContact>,
    pub(crate) attendance: Mutex<Attendance>,
    /// Held while the members change.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) standing: watch::Sender<Standing>,
    /// Addresses to find a cluster at: those of the configuration, and those that invited this node.
    pub(crate) seeds: Mutex<Vec<String>>,
}

impl Consensus {
    /// Opens the node's directory and begins to take part. It returns before the node is in a cluster; messages must reach
    /// [`Consensus::handle`] from then on.
    ///
    /// # Errors
    /// The directory cannot be used, the timings are wrong, or the node was removed from its cluster.
    pub async fn open(options: Options, transport: Arc<dyn Transport>) -> Result<Self, OpenError> {
        let failed = |source: BoxError| OpenError::Directory { directory: options.directory.clone(), source };
        let config = config(&options).map_err(OpenError::Timings)?;
        let store = open_store(&options.directory).await.map_err(failed)?;
        if store.removed().map_err(failed)? {
            return Err(OpenError::Removed { directory: options.directory.clone() });
        }
        let (id, cluster) = (store.node().map_err(failed)?, store.cluster().map_err(failed)?);
        let machine = Machine::open(store.clone(), options.storage).map_err(failed)?;
        let applied = machine.applied();
        let me = Contact { id, address: options.address.clone() };
        let outbound = Arc::new(Outbound::new(me, cluster, transport));
        let links = Links(Arc::clone(&outbound));
        let raft = Raft::new(id, Arc::new(config), links, store.clone(), machine).await.map_err(|error| failed(error.into()))?;
        let seeds = Mutex::new(options.seeds.clone());
        let node = Node {
            id,
            incarnation: random(),
            raft,
            store,
            applied,
            outbound,
            tasks: Tasks::new(),
            leader_contact: Mutex::new(LeaderContact::new(Instant::now())),
            attendance: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            standing: watch::Sender::new(Standing::Waiting("it has just started".to_owned())),
            seeds,
            options,
        };
        let node = Arc::new(node);
        node.start();
        Ok(Self(node))
    }

    /// The node's identity.
    pub fn id(&self) -> NodeId {
        self.0.id
    }

    /// Follows the newest view that this node has applied; none before the first.
    pub fn views(&self) -> watch::Receiver<Option<Arc<View>>> {
        self.0.applied.views()
    }

    /// Follows where the node stands.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.0.standing.subscribe()
    }

    /// What the cluster is like, by the leader if it can be asked, otherwise as far as this node knows.
    ///
    /// # Errors
    /// The node belongs to no cluster yet.
    pub async fn status(&self) -> Result<Status, Error> {
        let within = self.0.timings().presence * 2;
        if let Some(leader) = self.0.leader().filter(|leader| leader.id != self.0.id)
            && let Ok(Answer::Status(status)) = self.0.outbound.ask_node(&leader, Question::Lead(Request::Status), within).await
        {
            return Ok(*status);
        }
        self.0.status()
    }

    /// Lets a member own nothing, so that it can be stopped without anybody noticing.
    ///
    /// # Errors
    /// Nobody has the identity, or the cluster cannot agree.
    pub async fn drain(&self, id: NodeId) -> Result<(), Error> {
        self.0.request(Request::Drain { id, draining: true }).await.map(drop)
    }

    /// Lets a member own its share again.
    ///
    /// # Errors
    /// As [`Consensus::drain`].
    pub async fn undrain(&self, id: NodeId) -> Result<(), Error> {
        self.0.request(Request::Drain { id, draining: false }).await.map(drop)
    }

    /// Removes a member for good: its directory must be emptied before it can join again.
    ///
    /// # Errors
    /// As [`Consensus::drain`]; or it is the last one.
    pub async fn remove(&self, id: NodeId) -> Result<(), Error> {
        let known = self.0.applied.with(|agreed| agreed.membership.membership().get_node(&id).is_some());
        match self.0.request(Request::Remove { id }).await {
            // The request is sent again when an answer is lost: the first one did it.
            Err(Error::UnknownMember(_)) if known => Ok(()),
            other => other.map(drop),
        }
    }

    /// Asks the node at an address, which waits for a cluster, to join this one.
    ///
    /// # Errors
    /// It cannot be reached, or belongs to a cluster.
    pub async fn join(&self, address: &str) -> Result<(), Error> {
        self.0.outbound.cluster().ok_or(Error::NoCluster)?;
        self.0.outbound.ask(address, None, Question::Invite, self.0.options.timings.operation).await.map(drop)
    }

    /// Removes this node from its cluster; it takes no part any more.
    ///
    /// # Errors
    /// As [`Consensus::remove`].
    pub async fn leave(&self) -> Result<(), Error> {
        self.remove(self.0.id).await?;
        self.0.be_removed().await;
        Ok(())
    }

    /// Stops taking part, within a time, and releases the directory. The node stays a member.
    pub async fn close(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let left = self.0.tasks.shutdown(within).await;
        if !left.is_empty() {
            tracing::warn!(tasks = left.join(", "), "tasks of the cluster did not stop in time");
        }
        if tokio::time::timeout_at(deadline, self.0.raft.shutdown()).await.is_err() {
            tracing::warn!("raft did not stop in time");
        }
    }
}

impl Node {
    fn start(self: &Arc<Self>) {
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
        *self.standing.borrow() == Standing::Removed
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

    /// Notices that the others removed this node.
    pub(crate) async fn be_removed(&self) {
        if self.is_removed() {
            return;
        }
        if let Err(error) = self.store.set_removed().await {
            tracing::error!(error = %zot_runtime::telemetry::chain(&*error), "could not note that this node was removed from its cluster");
        }
        self.standing.send_replace(Standing::Removed);
        tracing::warn!(node = %self.id, "this node was removed from its cluster");
        if timeout(self.timings().operation, self.raft.shutdown()).await.is_err() {
            tracing::warn!("raft did not stop in time");
        }
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

/// Milliseconds since the Unix epoch.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

async fn open_store(directory: &Path) -> Result<Store, BoxError> {
    let directory = directory.to_owned();
    tokio::task::spawn_blocking(move || Store::open(&directory)).await?
}

/// How openraft is set. It holds no elections of its own: see `election.rs`.
fn config(options: &Options) -> Result<Config, BoxError> {
    let Timings { heartbeat, leadership, operation, .. } = &options.timings;
    let millis = |duration: Duration| u64::try_from(duration.as_millis());
    let config = Config {
        cluster_name: "zot".to_owned(),
        heartbeat_interval: millis(*heartbeat)?,
        // How long a vote may take to be answered.
        election_timeout_min: millis(*leadership / 2)?,
        // How long a follower that heard from its leader votes for nobody else.
        election_timeout_max: millis(*leadership)?,
        install_snapshot_timeout: millis(*operation)?,
        max_payload_entries: MESSAGE_ENTRIES_MAX,
        replication_lag_threshold: options.snapshot_entries + KEPT_ENTRIES,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.snapshot_entries),
        max_in_snapshot_log_to_keep: KEPT_ENTRIES,
        enable_elect: false,
        ..Config::default()
    };
    Ok(config.validate()?)
}

impl fmt::Debug for Consensus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consensus").field("id", &self.0.id).field("address", &self.0.options.address).finish_non_exhaustive()
    }
}
