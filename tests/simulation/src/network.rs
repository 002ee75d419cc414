//! The network: which machines reach which, how long that takes, and what gets lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex, join, split},
    runtime::Handle,
    sync::mpsc,
    time::{sleep, timeout},
};
use zot_consensus::{Consensus, Transport, TransportError};
use zot_proto::Connection;

use crate::random::Random;

/// What is under way in one direction of a connection, in bytes.
const WINDOW_BYTES: usize = 64 << 10;
/// How often bytes that cannot pass try again.
const TRY_AGAIN: Duration = Duration::from_millis(20);
/// How long a dialer waits for a host that is cut off: longer than whoever dials does.
const NEVER: Duration = Duration::from_secs(3600);

/// The wires between machines, by address. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    wires: Arc<Mutex<Wires>>,
    random: Random,
}

#[derive(Debug, Default)]
struct Wires {
    nodes: BTreeMap<String, Node>,
    /// Directions in which nothing passes.
    cut: BTreeSet<(String, String)>,
    /// One message of so many between nodes is lost; 0 is none.
    lose_one_of: u64,
}

/// Where a running node is reached.
#[derive(Debug, Clone)]
struct Node {
    handle: Handle,
    consensus: Consensus,
    accept: mpsc::UnboundedSender<io::Result<Connection>>,
}

/// One machine's end of the network.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) network: Network,
    pub(crate) address: String,
}

impl Network {
    pub(crate) fn new(random: Random) -> Self {
        Self { wires: Arc::default(), random }
    }

    /// A node that runs is reached from now on.
    pub(crate) fn attach(&self, address: &str, consensus: Consensus, accept: mpsc::UnboundedSender<io::Result<Connection>>) {
        let node = Node { handle: Handle::current(), consensus, accept };
        self.wires.lock().nodes.insert(address.to_owned(), node);
    }

    pub(crate) fn detach(&self, address: &str) {
        self.wires.lock().nodes.remove(address);
    }

    /// Lets nothing pass from one machine to another.
    pub(crate) fn cut(&self, from: &str, to: &str) {
        self.wires.lock().cut.insert((from.to_owned(), to.to_owned()));
    }

    pub(crate) fn lose_one_of(&self, messages: u64) {
        self.wires.lock().lose_one_of = messages;
    }

    pub(crate) fn heal(&self) {
        let mut wires = self.wires.lock();
        wires.cut.clear();
        wires.lose_one_of = 0;
    }

    fn passes(&self, from: &str, to: &str) -> bool {
        !self.wires.lock().cut.contains(&(from.to_owned(), to.to_owned()))
    }

    fn is_lost(&self, from: &str, to: &str) -> bool {
        let lose_one_of = self.wires.lock().lose_one_of;
        !self.passes(from, to) || (lose_one_of > 0 && self.random.once_in(lose_one_of))
    }

    fn node(&self, address: &str) -> Option<Node> {
        self.wires.lock().nodes.get(address).cloned()
    }

    async fn travel(&self) {
        sleep(self.random.milliseconds(1..6)).await;
    }
}

#[async_trait::async_trait]
impl Transport for End {
    async fn call(&self, address: &str, message: Bytes, within: Duration) -> Result<Bytes, TransportError> {
        let Self { network, address: own } = self;
        let exchange = async {
            network.travel().await;
            if network.is_lost(own, address) {
                sleep(NEVER).await;
            }
            let Node { handle, consensus, .. } =
                network.node(address).ok_or_else(|| TransportError::Unreachable("nobody is there".into()))?;
            // It is the other machine that answers, when it is its turn.
            let answer = handle.spawn(async move { consensus.handle(message).await });
            let answer = answer.await.map_err(|_| TransportError::Failed("the process ended".into()))?;
            network.travel().await;
            if network.is_lost(address, own) {
                sleep(NEVER).await;
            }
            answer.map_err(|error| TransportError::Failed(error.into()))
        };
        timeout(within, exchange).await.unwrap_or_else(|_| Err(TransportError::Failed("nothing came in time".into())))
    }
}

#[async_trait::async_trait]
impl zot_proto::Network for End {
    async fn connect(&self, address: &str) -> io::Result<Connection> {
        let Self { network, address: own } = self;
        network.travel().await;
        if !network.passes(own, address) || !network.passes(address, own) {
            sleep(NEVER).await;
        }
        let node = network.node(address).ok_or(io::ErrorKind::ConnectionRefused)?;
        let (near, near_wire) = duplex(WINDOW_BYTES);
        let (far, far_wire) = duplex(WINDOW_BYTES);
        node.accept.send(Ok(Connection::new(far))).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        tokio::spawn(self.clone().carry(address.to_owned(), near_wire, far_wire));
        Ok(Connection::new(near))
    }
}

impl End {
    /// Carries the bytes of a connection, both ways, until both ends are closed.
    async fn carry(self, address: String, near: DuplexStream, far: DuplexStream) {
        let ((near_read, near_write), (far_read, far_write)) = (split(near), split(far));
        let there = self.network.carry_one_way((&self.address, &address), near_read, far_write);
        let back = self.network.carry_one_way((&address, &self.address), far_read, near_write);
        // A machine that ends takes both ways with it.
        tokio::select! {
            biased;
            () = there => {}
            () = back => {}
        }
    }
}

impl Network {
    async fn carry_one_way(&self, (from, to): (&str, &str), from_end: impl AsyncRead + Unpin, to_end: impl AsyncWrite + Unpin) {
        let mut way = join(from_end, to_end);
        let mut bytes = vec![0; WINDOW_BYTES];
        while let Ok(length @ 1..) = way.read(&mut bytes).await {
            self.travel().await;
            while !self.passes(from, to) {
                sleep(TRY_AGAIN).await;
            }
            if way.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    }
}
