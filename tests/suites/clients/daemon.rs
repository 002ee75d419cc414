//! Clients that are daemons: each with its own data, in process and mount namespaces of its own, so that nothing of it outlives the test.

use std::{fs::File, net::SocketAddr, os::fd::AsFd, process::Stdio, thread};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{net::TcpListener, process::Child};
use zot_tests::wait;

use crate::program::Program;

/// With them ends everything that runs in them.
const NAMESPACES: &str = "--fork --pid --mount-proc --kill-child=SIGKILL";

/// A running daemon. Dropping it kills everything that it started.
pub(crate) struct Daemon {
    process: Child,
    log: std::path::PathBuf,
}

impl Daemon {
    /// Starts `line` in namespaces of its own, or says why that cannot be done here.
    pub(crate) async fn start(unshare: &Program, line: &str) -> Result<Self, String> {
        Self::start_in(unshare, NAMESPACES, line).await
    }

    /// Starts `line` with a network of its own besides, which leads nowhere but to itself, after what the lines `preparation` of shell do.
    pub(crate) async fn start_apart(unshare: &Program, preparation: &str, line: &str) -> Result<Self, String> {
        // Without the loopback interface nothing could be published there.
        let script = unshare.home().join("start");
        std::fs::write(&script, format!("set -e\nip link set lo up\n{preparation}\nexec {line}\n")).expect("a script");
        Self::start_in(unshare, &format!("--net {NAMESPACES}"), &format!("sh {}", script.display())).await
    }

    async fn start_in(unshare: &Program, namespaces: &str, line: &str) -> Result<Self, String> {
        unshare.attempt(&format!("{namespaces} true")).await.map_err(|reason| format!("no namespaces: {reason}"))?;
        let log = unshare.home().join("daemon.log");
        let file = File::create(&log).expect("the daemon's log");
        let mut command = unshare.command();
        command.args(namespaces.split(' ')).args(line.split_whitespace());
        command.stdout(file.try_clone().expect("the daemon's log")).stderr(Stdio::from(file));
        Ok(Self { process: command.spawn().expect("the daemon starts"), log })
    }

    /// The process whose namespaces it has.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// Listens in its network, for what is to lead out of it.
    pub(crate) fn listen(&self, address: SocketAddr) -> TcpListener {
        let network = File::open(format!("/proc/{}/ns/net", self.pid())).expect("its network");
        let listen = move || {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).expect("its network can be entered");
            std::net::TcpListener::bind(address).expect("the address is there and free")
        };
        // A socket stays in the network where it is made. Only the thread that makes it goes there, and ends.
        let listener = thread::spawn(listen).join().expect("it listens");
        listener.set_nonblocking(true).expect("a socket that does not block");
        TcpListener::from_std(listener).expect("a socket")
    }

    /// Waits until `line` of `client` succeeds: then it answers. Says why not if it ends or takes too long.
    pub(crate) async fn answers(&mut self, client: &Program, line: &str) -> Result<(), String> {
        let mut ended = false;
        let answered = wait::within(wait::PATIENCE, async || {
            ended = self.process.try_wait().expect("its state").is_some();
            ended || client.attempt(line).await.is_ok()
        });
        if answered.await && !ended {
            return Ok(());
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        Err(format!("it does not start: {}", log.lines().last().unwrap_or("it says nothing")))
    }
}
