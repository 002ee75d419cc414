//! Setting up a cluster before it starts.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use zot_services::port;

use super::{Cluster, Endpoints, Member, services::credentials};
use crate::{client::Trust, sandbox::set};

/// The key by which repositories are spread.
pub(super) const HASH_KEY: &str = "loremipsumdolors";

/// A cluster that has not started: two gateways, three nodes, each node with a disk of its own.
#[must_use = "a builder does nothing until it starts a cluster"]
pub struct Builder {
    directory: TempDir,
    config: Value,
    gateways: usize,
    nodes: usize,
    trust: Option<Trust>,
    tolerated: Vec<String>,
}

/// What a cluster's processes have in common.
pub(super) struct Plan {
    config: Value,
    planes: Vec<u16>,
    trust: Option<Trust>,
}

impl Builder {
    pub(super) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("zot-cluster-").tempdir().expect("a temporary directory");
        let config = json!({
            "storage": {"gc": false},
            "http": {"address": "127.0.0.1"},
            "log": {"level": "info"},
            "cluster": {"hashKey": HASH_KEY},
        });
        Self { directory, config, gateways: 2, nodes: 3, trust: None, tolerated: Vec::new() }
    }

    /// A directory for the test's own files, for what its configuration names.
    pub fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Keeps everything in these servers, so that any node can serve any repository.
    pub fn shared(mut self, servers: &Endpoints) -> Self {
        merge(&mut self.config, servers.place());
        self
    }

    /// Has this many gateways and nodes.
    pub fn sized(mut self, gateways: usize, nodes: usize) -> Self {
        (self.gateways, self.nodes) = (gateways, nodes);
        self
    }

    /// Sets the setting at a path like `/http/compat` of every process.
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        set(&mut self.config, path, value.into());
        self
    }

    /// Clients of its gateways use TLS with `trust`; the certificate and key are to be set in the configuration.
    pub fn https(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Logged errors that contain `text` are part of this test.
    pub fn tolerate_errors(mut self, text: &str) -> Self {
        self.tolerated.push(text.to_owned());
        self
    }

    /// Starts all processes at once and waits until every gateway is ready.
    pub async fn start(self) -> Cluster {
        let mut cluster = self.prepare();
        cluster.start().await;
        cluster
    }

    /// The cluster with everything it needs, but no process yet.
    pub fn prepare(self) -> Cluster {
        let Self { directory, config, gateways, nodes, trust, tolerated } = self;
        let plan = Plan { config, planes: (0..nodes).map(|_| port::free()).collect(), trust };
        let gateways = (0..gateways).map(|number| plan.gateway(directory.path(), number)).collect();
        let nodes = (0..nodes).map(|number| plan.node(directory.path(), number, Some(plan.planes[number]))).collect();
        Cluster { directory, plan, gateways, nodes, tolerated }
    }
}

impl Plan {
    pub(super) fn set(&mut self, path: &str, value: &Value) {
        set(&mut self.config, path, value.clone());
    }

    fn gateway(&self, directory: &Path, number: usize) -> Member {
        let (directory, port) = (directory.join(format!("gateway-{number}")), port::free());
        let mut config = self.common(&directory);
        set(&mut config, "/http/port", port.to_string().into());
        Member::new("zot-gateway", directory, config, credentials(), port).trusting(self.trust.clone())
    }

    /// A node on this port, or one that joins on a port that the others do not know.
    pub(super) fn node(&self, directory: &Path, number: usize, plane: Option<u16>) -> Member {
        let (name, port) = (format!("node-{number}"), plane.unwrap_or_else(port::free));
        let directory = directory.join(&name);
        let mut config = self.common(&directory);
        for key in ["listen", "advertise"] {
            set(&mut config, &format!("/cluster/{key}"), format!("127.0.0.1:{port}").into());
        }
        set(&mut config, "/cluster/name", name.into());
        Member::new("zot-node", directory, config, credentials(), port)
    }

    fn common(&self, directory: &Path) -> Value {
        let mut config = self.config.clone();
        let nodes: Vec<String> = self.planes.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        set(&mut config, "/cluster/nodes", nodes.into());
        set(&mut config, "/cluster/directory", directory.join("cluster").to_str().expect("a readable path").into());
        set(&mut config, "/storage/rootDirectory", directory.join("root").to_str().expect("a readable path").into());
        config
    }
}

/// Adds the members of `other` to `config`, object by object.
fn merge(config: &mut Value, other: Value) {
    match (config, other) {
        (Value::Object(config), Value::Object(other)) => {
            for (key, value) in other {
                merge(config.entry(key).or_insert(Value::Null), value);
            }
        }
        (config, other) => *config = other,
    }
}
