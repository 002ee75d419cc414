//! A cluster of three primaries.

use std::process::Command;

use tempfile::TempDir;

use super::{ask, pongs, room, spawn};
use crate::{port, process::Process, wait};

/// Three servers that share the keys among them.
pub struct RedisCluster {
    servers: Vec<(u16, Process)>,
    directory: TempDir,
}

impl RedisCluster {
    /// Starts the servers, joins them, and waits until all of them serve.
    pub async fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        let servers = [(); 3].map(|()| port::free()).map(|port| (port, spawn_member(&directory, port)));
        let cluster = Self { servers: servers.into(), directory };
        for (port, _) in &cluster.servers {
            wait::until("the Redis server answers", async || pongs(*port)).await;
        }
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "create"]).args(cluster.addresses()).args(["--cluster-replicas", "0", "--cluster-yes"]);
        let output = command.output().expect("redis-cli runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        cluster.serves().await;
        cluster
    }

    /// Where the servers listen, as `host:port`.
    pub fn addresses(&self) -> Vec<String> {
        self.servers.iter().map(|(port, _)| format!("127.0.0.1:{port}")).collect()
    }

    /// Its URL, with all servers.
    pub fn url(&self) -> String {
        let addresses = self.addresses();
        let others: Vec<String> = addresses[1..].iter().map(|address| format!("addr={address}")).collect();
        format!("redis://{}?{}", addresses[0], others.join("&"))
    }

    /// The processes of the servers.
    pub fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        self.servers.iter_mut().map(|(_, process)| process)
    }

    /// Kills one server and starts it again as the same member, without the keys it had.
    pub async fn restart(&mut self, index: usize) {
        let (port, process) = &mut self.servers[index];
        process.kill();
        *process = spawn_member(&self.directory, *port);
        self.serves().await;
    }

    async fn serves(&self) {
        for (port, _) in &self.servers {
            wait::until("the cluster serves", async || ask(*port, &["CLUSTER", "INFO"]).contains("cluster_state:ok")).await;
        }
    }
}

fn spawn_member(directory: &TempDir, port: u16) -> Process {
    let room = room(directory, port);
    // The bus would be 10,000 ports further, maybe where there are none.
    let bus = room.join("bus");
    let bus = std::fs::read_to_string(&bus).unwrap_or_else(|_| {
        let chosen = port::free().to_string();
        std::fs::write(&bus, &chosen).expect("the file of the port");
        chosen
    });
    spawn(&room, port, &["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", &bus])
}
