//! A registry of either shape, as its clients see it.

use std::{net::SocketAddr, thread};

use serde_json::json;

use super::{
    Settings, Shape, setting_of,
    standing::{self, Standing},
};
use crate::{
    client::Client,
    cluster::{Cluster, Services},
    front::{Front, Names},
    sandbox::Sandbox,
};

/// A running registry. Dropping it fails the test if an unannounced error was logged.
pub struct Registry {
    holder: Holder,
    front: Option<Front>,
    names: Names,
}

enum Holder {
    AllInOne(Box<Sandbox>),
    Own(Box<Cluster>),
    Standing(&'static Standing),
}

impl Registry {
    pub(super) async fn all_in_one(Settings { changes, sub_paths, .. }: Settings) -> Self {
        let mut builder = changes.into_iter().fold(Sandbox::builder(), |builder, (path, value)| builder.set(&path, value));
        for (number, path) in sub_paths.iter().enumerate() {
            let directory = builder.directory().join(format!("store-{number}"));
            builder = builder.set(&setting_of(path), json!({ "rootDirectory": directory }));
        }
        Self { holder: Holder::AllInOne(Box::new(builder.start().await)), front: None, names: Names::as_they_are() }
    }

    pub(super) async fn own_cluster(Settings { changes, is_shared, sub_paths }: Settings) -> Self {
        let mut builder = Cluster::builder();
        if is_shared {
            let servers = Services::shared().await.endpoints();
            builder = sub_paths.iter().fold(builder.shared(&servers), |builder, path| builder.set(&setting_of(path), servers.store()));
        }
        let builder = changes.into_iter().fold(builder, |builder, (path, value)| builder.set(&path, value));
        let cluster = builder.start().await;
        let front = cluster.front().await;
        Self { holder: Holder::Own(Box::new(cluster)), front: Some(front), names: Names::as_they_are() }
    }

    pub(super) async fn in_standing_cluster() -> Self {
        let standing = standing::get().await;
        let names = standing.names();
        let front = Front::start(standing.cluster().gateway_addresses(), names.clone()).await;
        Self { holder: Holder::Standing(standing), front: Some(front), names }
    }

    /// How it is made of processes.
    pub fn shape(&self) -> Shape {
        if matches!(self.holder, Holder::AllInOne(_)) { Shape::AllInOne } else { Shape::Cluster }
    }

    /// Where clients reach it.
    pub fn address(&self) -> SocketAddr {
        match (&self.front, &self.holder) {
            (Some(front), _) => front.address(),
            (None, Holder::AllInOne(sandbox)) => sandbox.address(),
            (None, _) => unreachable!("a cluster has a front"),
        }
    }

    /// Its address, like `http://127.0.0.1:12345`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// A client of it, with connections of its own. That of a cluster is patient: one of its processes may take another for silent when the machine
    /// stands still, and says so. What one process says is held against it at once.
    pub fn client(&self) -> Client {
        let client = Client::new(&self.url());
        if self.shape() == Shape::Cluster { client.patient() } else { client }
    }

    /// Where bytes that are no HTTP are sent: to a process of ours, past the front.
    pub fn process_address(&self) -> SocketAddr {
        match &self.holder {
            Holder::AllInOne(sandbox) => sandbox.address(),
            Holder::Own(cluster) => cluster.gateways()[0].address(),
            Holder::Standing(standing) => standing.cluster().gateways()[0].address(),
        }
    }

    /// A client of each process that serves clients, past the front.
    pub fn gateways(&self) -> Vec<Client> {
        let each = |cluster: &Cluster| cluster.gateways().iter().map(|gateway| gateway.client()).collect();
        match &self.holder {
            Holder::AllInOne(sandbox) => vec![sandbox.client()],
            Holder::Own(cluster) => each(cluster),
            Holder::Standing(standing) => each(standing.cluster()),
        }
    }

    /// Everything that all of its processes have logged.
    pub fn logs(&self) -> String {
        match &self.holder {
            Holder::AllInOne(sandbox) => sandbox.logs().to_string(),
            Holder::Own(cluster) => cluster.logs(),
            Holder::Standing(standing) => standing.cluster().logs(),
        }
    }

    /// What [`Self::process_address`] calls the repositories of this test.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The highest peak of memory that one of its processes has had, in bytes (`VmHWM`).
    pub fn memory_peak_bytes(&self) -> u64 {
        match &self.holder {
            Holder::AllInOne(sandbox) => sandbox.memory_peak_bytes(),
            Holder::Own(cluster) => cluster.memory_peak_bytes(),
            Holder::Standing(standing) => standing.cluster().memory_peak_bytes(),
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // The others look at their logs themselves when they go.
        let Holder::Standing(standing) = &self.holder else { return };
        if thread::panicking() {
            return standing.print_tails();
        }
        let errors = standing.new_errors();
        assert!(errors.is_empty(), "the cluster logged errors during this test, or one at the same time:\n{}", errors.join("\n"));
    }
}
