//! Which process of this machine a connection comes from.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::net::TcpStream;

/// How often the system's table of connections is read: while it changes, a reading may leave one out.
const READINGS: usize = 3;

/// Some processes, as they come to be known.
#[derive(Debug, Clone, Default)]
pub struct Processes(Arc<Mutex<Vec<u32>>>);

impl Processes {
    /// Adds the process that `start` starts and gives the id of. What it connects to meanwhile waits until it is known.
    pub fn add(&self, start: impl FnOnce() -> u32) {
        let mut known = self.0.lock().expect("nobody failed here");
        known.push(start());
    }

    /// Whether one of them is at the other end of a connection that this process accepted.
    pub(crate) async fn made(&self, accepted: &TcpStream) -> bool {
        let (Ok(from), Ok(to)) = (accepted.peer_addr(), accepted.local_addr()) else { return false };
        let known = self.0.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let known = known.lock().expect("nobody failed here");
            (0..READINGS).find_map(|_| socket(from, to)).is_some_and(|socket| known.iter().any(|process| has_open(*process, &socket)))
        });
        looking.await.expect("the search ends")
    }
}

/// What the system calls the socket of the connection `from` one address `to` another.
fn socket(from: SocketAddr, to: SocketAddr) -> Option<String> {
    let [from, to] = [from, to].map(written);
    let connections = fs::read_to_string("/proc/self/net/tcp").expect("the connections of this machine");
    // The columns: a number, both addresses, state, queues, timer, retransmissions, user, timeout, inode.
    let socket = connections.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|columns| match columns[..] {
        [_, local, remote, _, _, _, _, _, _, inode, ..] if local == from && remote == to => Some(inode.to_owned()),
        _ => None,
    })?;
    Some(format!("socket:[{socket}]"))
}

/// An address as the table of connections has it.
fn written(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else { panic!("{address} is not of IPv4") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
}

fn has_open(process: u32, what: &str) -> bool {
    // One that has ended has nothing open.
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    open.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == what))
}
