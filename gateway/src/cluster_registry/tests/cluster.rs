//! Nodes in this process, each on a runtime of its own: so that it can be killed as a process is.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use bytes::Bytes;
use futures::stream::BoxStream;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::{oneshot, watch},
};
use tokio_util::sync::CancellationToken;
use zot_cluster::{HashKey, Loss, Member, NodeId, Placement, State, Status, Storage, View};
use zot_contract::{MemoryRegistry, Registry};
use zot_node::Owned;
use zot_oci::RepositoryName;
use zot_proto::{ClusterPlane, Dialer, PlaneError, Services, serve, updates};
use zot_runtime::tasks::Tasks;

use super::super::{ClusterOptions, ClusterRegistry};

/// A cluster whose views are what a test says they are.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    storage: Storage,
    key: HashKey,
    tasks: Tasks,
}

/// A node that serves until it is killed.
pub(super) struct Node {
    pub(super) member: Member,
    /// What it stores.
    pub(super) registry: Arc<dyn Registry>,
    view: watch::Sender<View>,
    placement: watch::Sender<Arc<Placement>>,
    /// Lets it finish what it has begun, and take no more.
    pub(super) stop: CancellationToken,
    runtime: Option<Runtime>,
}

/// A node's part of the cluster that only tells its view.
struct Told(watch::Sender<View>);

#[async_trait::async_trait]
impl ClusterPlane for Told {
    async fn peer(&self, message: Bytes) -> Result<Bytes, PlaneError> {
        Ok(message)
    }

    fn views(&self) -> BoxStream<'static, View> {
        updates(self.0.subscribe())
    }

    async fn status(&self) -> Result<Status, PlaneError> {
        refused()
    }

    async fn drain(&self, _: NodeId) -> Result<(), PlaneError> {
        refused()
    }

    async fn undrain(&self, _: NodeId) -> Result<(), PlaneError> {
        refused()
    }

    async fn remove(&self, _: NodeId, _: Loss) -> Result<(), PlaneError> {
        refused()
    }

    async fn join(&self, _: &str) -> Result<(), PlaneError> {
        refused()
    }
}

fn refused<T>() -> Result<T, PlaneError> {
    Err(PlaneError::Refused { reason: "not in the script".to_owned() })
}

impl Node {
    async fn start(id: u64, registry: Arc<dyn Registry>, view: View, key: HashKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let placement = watch::Sender::new(Arc::new(Placement::new(view.clone(), key)));
        let view = watch::Sender::new(view);
        let member = Member { id: NodeId(id), name: format!("n{id}"), address, state: State::Up };
        let owned = Owned::new(Arc::clone(&registry), member.id, placement.subscribe());
        let services = Services { registry: Arc::new(owned), cluster: Some(Arc::new(Told(view.clone()))) };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = listener.into_std().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        runtime.spawn(async {
            let listener = TcpListener::from_std(listener).unwrap();
            serve(listener, None, services, || super::HANG, stopped).await
        });
        Self { member, registry, view, placement, stop, runtime: Some(runtime) }
    }

    /// Ends everything that it runs, wherever it was: a call that comes after this is answered by nobody.
    pub(super) fn kill(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // It can be waited for only outside of the test's own runtime.
        thread::spawn(|| runtime.shutdown_timeout(super::HANG)).join().unwrap();
    }

    /// Stops it where it is, as a signal does, until what is returned is dropped.
    pub(super) async fn freeze(&self) -> mpsc::Sender<()> {
        let (thaw, frozen) = mpsc::channel();
        let (stops, stopped) = oneshot::channel();
        // Its one thread runs nothing else meanwhile, and looks at no socket.
        self.runtime.as_ref().unwrap().spawn(async move {
            stops.send(()).unwrap();
            frozen.recv().unwrap_err();
        });
        stopped.await.unwrap();
        thaw
    }

    /// Lets it go by a view without telling others.
    pub(super) fn place(&self, view: &View, key: HashKey) {
        self.placement.send_replace(Arc::new(Placement::new(view.clone(), key)));
    }

    /// Lets it go by a view, and tell others.
    pub(super) fn tell(&self, view: &View, key: HashKey) {
        self.place(view, key);
        self.view.send_replace(view.clone());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Cluster {
    /// Nodes that store what they are given, all in view 1.
    pub(super) async fn of(storage: Storage, key: HashKey, registries: Vec<Arc<dyn Registry>>) -> Self {
        let nobody = View { cluster: None, number: 0, storage, members: Vec::new() };
        let mut nodes = Vec::new();
        for (id, registry) in (1..).zip(registries) {
            nodes.push(Node::start(id, registry, nobody.clone(), key).await);
        }
        let cluster = Self { nodes, storage, key, tasks: Tasks::new() };
        cluster.tell(&cluster.view(1, &[]));
        cluster
    }

    /// Three nodes, which share a registry in memory or have one each.
    pub(super) async fn start(storage: Storage) -> Self {
        Self::with_key(storage, HashKey::new(*b"loremipsumdolors")).await
    }

    pub(super) async fn with_key(storage: Storage, key: HashKey) -> Self {
        let shared: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
        let registry = || match storage {
            Storage::Shared => Arc::clone(&shared),
            Storage::Local => Arc::new(MemoryRegistry::default()),
        };
        Self::of(storage, key, (0..3).map(|_| registry()).collect()).await
    }

    /// A view of all nodes but those whose places are given.
    pub(super) fn view(&self, number: u64, without: &[usize]) -> View {
        let there = self.nodes.iter().enumerate().filter(|(place, _)| !without.contains(place));
        View { cluster: None, number, storage: self.storage, members: there.map(|(_, node)| node.member.clone()).collect() }
    }

    /// Lets every node know of a view.
    pub(super) fn tell(&self, view: &View) {
        self.nodes.iter().for_each(|node| node.tell(view, self.key));
    }

    /// A gateway's registry, once it knows the cluster.
    pub(super) async fn registry(&self) -> ClusterRegistry {
        let seeds = self.nodes.iter().map(|node| node.member.address.clone()).collect();
        self.registry_of(seeds).await
    }

    pub(super) async fn registry_of(&self, seeds: Vec<String>) -> ClusterRegistry {
        let options = ClusterOptions { seeds, hash_key: self.key, dialer: Dialer::plain() };
        let registry = ClusterRegistry::start(options, &self.tasks);
        super::until(async || registry.is_ready()).await;
        registry
    }

    pub(super) fn key(&self) -> HashKey {
        self.key
    }

    /// The place of the node that owns a repository by a view.
    pub(super) fn owner(&self, view: &View, repository: &str) -> usize {
        let name: RepositoryName = repository.parse().unwrap();
        let owner = Placement::new(view.clone(), self.key).owner(&name).unwrap().id;
        self.nodes.iter().position(|node| node.member.id == owner).unwrap()
    }

    /// The place of the node that owns a repository among three, wherever they listen.
    pub(super) fn owner_of_three(key: HashKey, repository: &str) -> usize {
        let member = |id| Member { id: NodeId(id), name: String::new(), address: String::new(), state: State::Up };
        let view = View { cluster: None, number: 1, storage: Storage::Shared, members: (1..=3).map(member).collect() };
        let owner = Placement::new(view, key).owner(&repository.parse().unwrap()).unwrap().id;
        usize::try_from(owner.0).unwrap() - 1
    }

    /// A repository that has one owner by one view and another one by the other.
    pub(super) fn moving(&self, before: &View, after: &View) -> String {
        let mut names = (0..).map(|number| format!("app-{number}"));
        names.find(|name| self.owner(before, name) != self.owner(after, name)).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.tasks.stop().cancel();
    }
}
