//! A node's part of a cluster: what it agrees on with the others, and the port at which they and the gateways reach it.

mod address;
mod agreement;
mod check;
mod door;
mod ownership;

use std::sync::Arc;

use anyhow::Context as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zot_cluster::{ClaimKey, HashKey, Storage};
use zot_config::{Config, cluster::Cluster};
use zot_consensus::{ClusterRoles, Consensus, Options, Standing, Timings};
use zot_process::{Process, Step};
use zot_proto::{Dialer, PeerTransport, ServeError, Services, Stopped, serve};
use zot_runtime::schedule::{Alone, Roles};

use self::{
    address::Place,
    agreement::{Agreement, Peers},
};
use crate::{Node, owned::Owned, vouched::Vouched};

pub use self::{address::UnknownPlace, check::check, door::Door, ownership::Ownership};

/// A node that takes part in its cluster.
pub struct Plane {
    consensus: Consensus,
    storage: Storage,
    serving: JoinHandle<Result<Stopped, ServeError>>,
    /// Cancelled when serving has ended, whoever wanted that.
    served: CancellationToken,
    stop: CancellationToken,
}

impl Plane {
    /// Takes the address at which the node will serve its cluster; that somebody else listens there is told at once. Nobody gets in: while the
    /// stores are being opened, whoever asks is refused, and asks another member.
    pub async fn bind(process: &Process, cluster: &Cluster) -> anyhow::Result<Door> {
        let place = Place::find(&process.config, cluster)?;
        let listen = place.listen.clone();
        Door::bind(place).await.with_context(|| format!("listen on {listen}"))
    }

    /// Begins to take part, and serves what the node keeps to the others and to gateways. `ownership` learns from here what the node owns.
    pub async fn open(process: &Process, cluster: &Cluster, door: Door, node: &Node, ownership: &Ownership) -> anyhow::Result<Self> {
        let tls = process.plane_tls()?;
        let (place, listener) = door.open()?;
        let dialer = tls.clone().map_or_else(Dialer::plain, Dialer::secured);
        let transport = Arc::new(Peers::new(PeerTransport::new(dialer)));
        let consensus = Consensus::open(options(&process.config, cluster, &place), transport).await?;
        let key = HashKey::new(cluster.hash_key_bytes().context("read cluster.hashKey")?);
        process.tasks.spawn("follow-views", ownership.follow(consensus.id(), consensus.views(), key, process.tasks.stop()));
        let owned = Arc::new(Owned::new(node.registry(), consensus.id(), ownership.placement()));
        let claims = cluster.claim_secret().context("read cluster.claimKeyFile")?;
        let registry = Arc::new(Vouched::new(owned, ClaimKey::new(claims.reveal().as_bytes())));
        let services = Services { registry, cluster: Some(Arc::new(Agreement::new(consensus.clone()))) };
        let (stop, served) = (CancellationToken::new(), CancellationToken::new());
        tracing::info!(node = %consensus.id(), name = place.name, address = place.advertised, "serving the cluster at {}", place.listen);
        let ending = Arc::clone(&process.ending);
        let serving = serve(listener, tls, services, move || ending.left_for(Step::Members), stop.clone());
        let over = served.clone().drop_guard();
        let serving = tokio::spawn(async move {
            let _over = over;
            serving.await
        });
        Ok(Self { consensus, storage: storage(&process.config), serving, served, stop })
    }

    /// The roles of this node: where the stores are shared, what the members agreed on; otherwise everything in its own store is its own.
    pub fn roles(&self, ownership: &Ownership) -> Arc<dyn Roles> {
        match self.storage {
            Storage::Local => Arc::new(Alone),
            Storage::Shared => {
                let ownership = ownership.clone();
                let owns = move |repository: &str| repository.parse().is_ok_and(|repository| ownership.owns(&repository));
                Arc::new(ClusterRoles::new(self.consensus.clone(), owns))
            }
        }
    }

    /// Waits until only another run of the process can take part again, which is for whoever supervises it to see to, and says why. Requests
    /// under way may finish all the same: see [`Plane::drain`].
    ///
    /// That does not come for a node that is removed while it runs: a supervisor would start it again, and it would be back at once.
    pub async fn ended(&self) -> anyhow::Error {
        let mut standing = self.consensus.standing();
        let is_over = |standing: &Standing| matches!(standing, Standing::Forgotten | Standing::Failed(_));
        let error = tokio::select! {
            () = self.served.cancelled() => anyhow::anyhow!("serving the cluster ended"),
            Ok(standing) = standing.wait_for(is_over) => match &*standing {
                Standing::Failed(error) => anyhow::anyhow!("take part in the cluster: the state of this node cannot be written: {error}"),
                _ => anyhow::anyhow!("this node was removed from its cluster before it started"),
            },
        };
        tracing::warn!(%error, "this process has to end, finishing requests under way");
        error
    }

    /// Says, whenever it is asked, whether the node was removed from its cluster.
    pub fn is_removed(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let standing = self.consensus.standing();
        move || *standing.borrow() == Standing::Removed
    }

    /// Lets the others take over at once, instead of after a silence. Meanwhile everybody is served as before.
    pub async fn step_aside(&self, process: &Process) {
        self.consensus.step_aside(process.ending.left_for(Step::StepAside)).await;
    }

    /// Lets calls under way finish, and nobody in any more. Returns how serving ended. The node stays a member.
    ///
    /// What is acknowledged meanwhile by a node that takes no part any more is as safe as ever. With shared storage another member may own the
    /// repository by now, and all changes are conditional in the stores; with local storage nobody else has it.
    pub async fn drain(self, process: &Process) -> anyhow::Result<Stopped> {
        self.stop.cancel();
        let served = self.serving.await;
        self.consensus.close(process.ending.left_for(Step::Agreement)).await;
        served.context("serve the cluster")?.map_err(Into::into)
    }
}

fn options(config: &Config, cluster: &Cluster, place: &Place) -> Options {
    let own = || cluster.own_directory(&config.storage.default.root_directory, config.http.port);
    let directory = cluster.directory.clone().unwrap_or_else(|| own().join("_cluster"));
    Options {
        directory,
        name: place.name.clone(),
        address: place.advertised.clone(),
        storage: storage(config),
        seeds: cluster.node_addresses(),
        timings: Timings::default(),
        snapshot_entries: Options::SNAPSHOT_ENTRIES,
        seed: None,
    }
}

fn storage(config: &Config) -> Storage {
    if config.storage.default.storage_driver.is_some() { Storage::Shared } else { Storage::Local }
}
