//! Free ports below the range from which the system takes those of outgoing connections, so that a restart finds its port still free.

use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// The first port given out, and how many follow: all below 32768, where Linux begins with those of outgoing connections, and so is the port
/// [`PLANE`] above each.
const FIRST: u16 = 11_000;
const COUNT: u16 = 11_000;
/// How far above the port for clients an all-in-one member of a cluster has the one for other members, where nothing else is configured.
const PLANE: u16 = 10_000;
/// How far apart test processes begin, so that those that run at the same time seldom meet.
const STRIDE: u32 = 97;

static GIVEN: AtomicU16 = AtomicU16::new(0);

/// A port of this machine that nobody listens on and that this process has not given out lately; the one where a member of a cluster would listen for others is free too.
pub fn free() -> u16 {
    let start = (process::id() * STRIDE) % u32::from(COUNT);
    for _ in 0..COUNT {
        let given = u32::from(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from((start + given) % u32::from(COUNT)).expect("below the count");
        if [port, port + PLANE].into_iter().all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
            return port;
        }
    }
    panic!("no free port on this machine");
}
