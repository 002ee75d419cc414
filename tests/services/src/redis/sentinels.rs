//! A primary, its replica, and three sentinels that let the replica take over.

use std::{fs, process::Command};

use tempfile::TempDir;

use super::{ask, pongs, room, spawn};
use crate::{port, process::Process, wait};

/// The name that the sentinels know the primary by.
pub const MASTER_NAME: &str = "main";

/// After how long without an answer a server counts as down, in milliseconds.
const DOWN_AFTER_MS: u32 = 1000;

/// A primary, its replica, and three sentinels.
pub struct RedisSentinels {
    servers: Vec<(u16, Process)>,
    sentinels: Vec<(u16, Process)>,
    // Last, so that it is removed after the processes are gone.
    _directory: TempDir,
}

impl RedisSentinels {
    /// Starts all of them, and waits until the sentinels know the replica and each other.
    pub async fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        let primary = port::free();
        let mut servers = vec![(primary, spawn(&room(&directory, primary), primary, &[]))];
        wait::until("the primary answers", async || pongs(primary)).await;
        let replica = port::free();
        let of = format!("127.0.0.1 {primary}");
        servers.push((replica, spawn(&room(&directory, replica), replica, &["--replicaof", &of, "--repl-diskless-sync-delay", "0"])));
        wait::until("the replica follows", async || ask(replica, &["INFO", "replication"]).contains("master_link_status:up")).await;
        let ports = [(); 3].map(|()| port::free());
        let sentinels: Vec<_> = ports.into_iter().map(|port| (port, sentinel(&directory, port, primary))).collect();
        for port in ports {
            wait::until("the sentinels know each other", async || knows_all(port)).await;
        }
        Self { servers, sentinels, _directory: directory }
    }

    /// Where the sentinels listen, as `host:port`.
    pub fn addresses(&self) -> Vec<String> {
        self.sentinels.iter().map(|(port, _)| format!("127.0.0.1:{port}")).collect()
    }

    /// The server that the first sentinel holds for the primary.
    pub fn primary(&mut self) -> &mut Process {
        let said = ask(self.sentinels[0].0, &["SENTINEL", "get-master-addr-by-name", MASTER_NAME]);
        let port: u16 = said.lines().nth(1).and_then(|port| port.parse().ok()).expect("the port of the primary");
        &mut self.servers.iter_mut().find(|(server, _)| *server == port).expect("one of ours").1
    }

    /// The sentinel that is asked first.
    pub fn first_sentinel(&mut self) -> &mut Process {
        &mut self.sentinels[0].1
    }
}

fn sentinel(directory: &TempDir, port: u16, primary: u16) -> Process {
    let room = room(directory, port);
    let lines = [
        format!("port {port}"),
        "bind 127.0.0.1".to_owned(),
        format!("dir {}", room.display()),
        format!("sentinel monitor {MASTER_NAME} 127.0.0.1 {primary} 2"),
        format!("sentinel down-after-milliseconds {MASTER_NAME} {DOWN_AFTER_MS}"),
        format!("sentinel failover-timeout {MASTER_NAME} 10000"),
    ];
    let file = room.join("sentinel.conf");
    fs::write(&file, lines.join("\n")).expect("the sentinel's file");
    let mut command = Command::new("redis-server");
    command.arg(&file).arg("--sentinel");
    Process::spawn(command, &room.join("output.log"))
}

fn knows_all(port: u16) -> bool {
    let said = ask(port, &["SENTINEL", "master", MASTER_NAME]);
    let lines: Vec<&str> = said.lines().collect();
    let says = |name: &str, value: &str| lines.windows(2).any(|pair| pair == [name, value]);
    says("num-slaves", "1") && says("num-other-sentinels", "2")
}
