//! A node of the cluster: opened, asked, closed.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};
use zot_cluster::{Loss, NodeId, State, Status, View};
use zot_runtime::tasks::Tasks;

use crate::{
    clock::LeaderContact,
    error::{BoxError, Error, OpenError},
    node::Node,
    options::{Options, Transport},
    outbound::Links,
    raft::Raft,
    random::Random,
    returning::identify,
    settings,
    store::{Machine, Store, Waiting},
    wire::{Answer, Question, Request},
};

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
    /// It was removed: it takes no part any more. When its process starts again, it asks to be let in as a new one, where anybody can be let in.
    Removed,
    /// It was removed before its process started, and takes no part. The same is true of its next start.
    Forgotten,
    /// Its disk failed: it takes no part until its process starts again.
    Failed(String),
}

impl Consensus {
    /// Opens the node's directory and begins to take part. It returns before the node is in a cluster; messages must reach
    /// [`Consensus::handle`] from then on.
    ///
    /// # Errors
    /// The directory cannot be used, the timings are wrong, or the node was removed from a cluster that lets nobody in.
    pub async fn open(options: Options, transport: Arc<dyn Transport>) -> Result<Self, OpenError> {
        let failed = |source: BoxError| OpenError::Directory { directory: options.directory.clone(), source };
        let config = settings::config(&options).map_err(OpenError::Timings)?;
        let store = open_store(&options).await.map_err(failed)?;
        let random = Random::new(options.seed);
        let outbound = Arc::new(identify(&store, &options, &random, transport).await?);
        let (id, returns) = (outbound.id(), outbound.cluster().is_some());
        let machine = Machine::open(store.clone(), options.storage).map_err(failed)?;
        let applied = machine.applied();
        let links = Links(Arc::clone(&outbound));
        let raft = Raft::new(id, Arc::new(config), links, store.clone(), machine).await.map_err(|error| failed(error.into()))?;
        let seeds = Mutex::new(options.seeds.clone());
        let node = Node {
            id,
            incarnation: random.next(),
            random,
            raft,
            store,
            applied,
            outbound,
            tasks: Tasks::new(),
            leader_contact: Mutex::new(LeaderContact::new(Instant::now())),
            attendance: Mutex::default(),
            aside: AtomicBool::new(false),
            changing: tokio::sync::Mutex::default(),
            standing: watch::Sender::new(Standing::Waiting("it has just started".to_owned())),
            seeds,
            returns,
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
    /// The node belongs to no cluster yet, or no more.
    pub async fn status(&self) -> Result<Status, Error> {
        if self.0.is_removed() {
            return Err(Error::Removed);
        }
        let within = self.0.timings().presence * 2;
        if let Some(leader) = self.0.leader().filter(|leader| leader.id != self.0.id)
            && let Ok(Answer::Status(status)) = self.0.outbound.ask_node(&leader, Question::Lead(Request::Status), within).await
        {
            return Ok(Status { node: self.0.id, ..*status });
        }
        self.0.status()
    }

    /// Lets a member own nothing, so that it can be stopped without anybody noticing.
    ///
    /// # Errors
    /// Nobody has the identity, nobody could take over what it owns, or the cluster cannot agree.
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

    /// Removes a member for good. If its process starts again, with its directory or an empty one, it joins as a new one.
    ///
    /// # Errors
    /// Nobody has the identity, the cluster cannot agree, it is the last one, or content would be lost with it.
    pub async fn remove(&self, id: NodeId, loss: Loss) -> Result<(), Error> {
        let known = self.0.applied.with(|agreed| agreed.membership.membership().get_node(&id).is_some());
        match self.0.request(Request::Remove { id, loss }).await {
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

    /// Has the others count this node as down, ahead of its end, and waits at most `within` until they do: then nobody sends it anything any more.
    /// Returns whether they do; they never will if nobody else is up, and a node whose disk failed does not hear of it. It is up again when it
    /// starts again.
    pub async fn step_aside(&self, within: Duration) -> bool {
        let id = self.0.id;
        let is_up = |view: &View, wanted: bool| view.members.iter().any(|member| (member.id == id) == wanted && member.state == State::Up);
        let mut views = self.views();
        if !views.borrow().as_ref().is_some_and(|view| is_up(view, false)) {
            return false;
        }
        self.0.aside.store(true, Ordering::Relaxed);
        self.0.take_leave().await;
        if matches!(*self.0.standing.borrow(), Standing::Failed(_)) {
            return false;
        }
        let gone = views.wait_for(|view| view.as_ref().is_some_and(|view| !is_up(view, true)));
        tokio::time::timeout(within, gone).await.is_ok_and(|gone| gone.is_ok())
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

async fn open_store(options: &Options) -> Result<Store, BoxError> {
    let (directory, waiting) = (options.directory.clone(), Waiting::of(options.seed));
    waiting.for_disk(move || Store::open(&directory, waiting)).await
}

impl fmt::Debug for Consensus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consensus").field("id", &self.0.id).field("address", &self.0.options.address).finish_non_exhaustive()
    }
}
