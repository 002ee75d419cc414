//! A storage node: the engine over the shared stores, consensus with the others, and what it serves.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use zot_cluster::{ClaimKey, HashKey, Loss, NodeId, Placement, Status, Storage, View};
use zot_consensus::{Consensus, Lease, OpenError, Options, Standing};
use zot_node::{Owned, Vouched};
use zot_proto::{ClusterPlane, PlaneError, Services, serve_connections, updates, views_of};
use zot_storage::{Engine, WallClock};

use crate::{network::End, stores::Stores};

/// The key that repositories are placed by.
pub(crate) const HASH_KEY: [u8; 16] = *b"loremipsumdolors";
/// The job that all nodes want to run.
const JOB: &str = "sweep";
/// How long it is leased.
const LEASE: Duration = Duration::from_secs(3);
/// How often its lease is asked for or renewed.
const LEASE_EVERY: Duration = Duration::from_millis(500);
/// How often the job is done.
const SWEEP_EVERY: Duration = Duration::from_millis(700);
/// How long calls may take to finish: nodes do not end in good order here.
const DRAIN: Duration = Duration::from_secs(1);

/// What is in a node's memory, as seen from outside; gone with its process.
#[derive(Default)]
pub(crate) struct Inside {
    consensus: Option<Consensus>,
    lease: Option<Lease>,
}

impl Inside {
    /// The epoch of the lease that the node believes to hold. To be asked by the node's own clock.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.lease.as_ref().filter(|lease| lease.is_valid()).map(|lease| lease.epoch)
    }

    pub(crate) fn view(&self) -> Option<Arc<View>> {
        self.consensus.as_ref()?.views().borrow().clone()
    }

    /// Whether its process ends as failed, because the node was removed before it started.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.consensus.as_ref().is_some_and(|consensus| *consensus.standing().borrow() == Standing::Forgotten)
    }

    pub(crate) fn consensus(&self) -> Option<Consensus> {
        self.consensus.clone()
    }
}

/// What a node works with.
pub(crate) struct Means {
    pub(crate) end: End,
    pub(crate) engine: Engine,
    pub(crate) stores: Stores,
    pub(crate) wall: WallClock,
}

/// Runs a node until its process ends.
pub(crate) async fn run(options: Options, means: Means, inside: Arc<Mutex<Inside>>) -> Result<(), OpenError> {
    let Means { end, engine, stores, wall } = means;
    let address = options.address.clone();
    let consensus = Consensus::open(options, Arc::new(end.clone())).await?;
    inside.lock().consensus = Some(consensus.clone());
    let nobody = View { cluster: None, number: 0, storage: Storage::Shared, members: Vec::new() };
    let placement = watch::Sender::new(Arc::new(Placement::new(nobody, HashKey::new(HASH_KEY))));
    let owned = Owned::new(Arc::new(engine.clone()), consensus.id(), placement.subscribe());
    let vouched = Vouched::new(Arc::new(owned), ClaimKey::new(&HASH_KEY)).with_wall_clock(wall);
    tokio::spawn(place(consensus.clone(), placement));
    tokio::spawn(keep_job(consensus.clone(), inside.clone()));
    tokio::spawn(sweep(engine, stores, inside));
    let (accept, mut accepted) = mpsc::unbounded_channel();
    end.network.attach(&address, consensus.clone(), accept);
    let services = Services { registry: Arc::new(vouched), cluster: Some(Arc::new(Plane(consensus))) };
    let incoming = stream::poll_fn(move |cx| accepted.poll_recv(cx));
    drop(serve_connections(incoming, services, || DRAIN, CancellationToken::new()).await);
    Ok(())
}

async fn place(consensus: Consensus, placement: watch::Sender<Arc<Placement>>) {
    let mut views = updates(consensus.views());
    while let Some(view) = views.next().await {
        if let Some(view) = view {
            placement.send_replace(Arc::new(Placement::new(View::clone(&view), HashKey::new(HASH_KEY))));
        }
    }
}

async fn keep_job(consensus: Consensus, inside: Arc<Mutex<Inside>>) {
    loop {
        let held = inside.lock().lease.clone().filter(Lease::is_valid);
        let lease = match &held {
            Some(lease) => consensus.renew(lease).await.unwrap_or(held),
            None => consensus.lease(JOB, LEASE).await.unwrap_or_default(),
        };
        inside.lock().lease = lease;
        sleep(LEASE_EVERY).await;
    }
}

/// The job: removes the bytes that no row speaks of. It looks at its lease when it begins, as jobs do, and may be stopped anywhere.
async fn sweep(engine: Engine, stores: Stores, inside: Arc<Mutex<Inside>>) {
    loop {
        sleep(SWEEP_EVERY).await;
        if inside.lock().epoch().is_some() {
            // What fails is left to the next time.
            engine.reap_places(stores.places()).await.ok();
        }
    }
}

/// What gateways ask of a node's part of the cluster: its views.
struct Plane(Consensus);

#[async_trait::async_trait]
impl ClusterPlane for Plane {
    async fn peer(&self, _: Bytes) -> Result<Bytes, PlaneError> {
        refused()
    }

    fn views(&self) -> BoxStream<'static, View> {
        views_of(self.0.views())
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
    Err(PlaneError::Refused { reason: "nobody asks for it here".to_owned() })
}
