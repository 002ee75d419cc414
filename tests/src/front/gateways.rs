//! Which gateway is next, and which are left out because they do not say that they are ready.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How often every gateway is asked whether it is ready, and how long it may take to answer.
const ASK_EVERY: Duration = Duration::from_millis(250);
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The gateways behind a front.
pub(super) struct Gateways {
    all: Vec<Gateway>,
    next: AtomicUsize,
}

struct Gateway {
    address: SocketAddr,
    ready: AtomicBool,
    requests: AtomicUsize,
}

impl Gateways {
    pub(super) fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let gateway = |address| Gateway { address, ready: AtomicBool::new(true), requests: AtomicUsize::new(0) };
        Self { all: addresses.into_iter().map(gateway).collect(), next: AtomicUsize::new(0) }
    }

    /// A connection to the next gateway that is ready; to any that takes it if none is.
    pub(super) async fn connect(&self) -> Option<TcpStream> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let turn: Vec<&Gateway> = (0..self.all.len()).map(|after| &self.all[(first + after) % self.all.len()]).collect();
        let (ready, others): (Vec<&Gateway>, Vec<&Gateway>) = turn.into_iter().partition(|gateway| gateway.ready.load(Ordering::Relaxed));
        for gateway in ready.into_iter().chain(others) {
            // Nothing was sent yet: whatever the request is, another gateway may have it.
            if let Ok(stream) = TcpStream::connect(gateway.address).await {
                stream.set_nodelay(true).ok();
                gateway.requests.fetch_add(1, Ordering::Relaxed);
                return Some(stream);
            }
        }
        None
    }

    pub(super) fn shares(&self) -> Vec<usize> {
        self.all.iter().map(|gateway| gateway.requests.load(Ordering::Relaxed)).collect()
    }

    /// Asks all gateways, again and again.
    pub(super) async fn watch(self: std::sync::Arc<Self>) {
        loop {
            let asked = self.all.iter().map(|gateway| async {
                let is_ready = timeout(ANSWER_WITHIN, is_ready(gateway.address)).await.unwrap_or(false);
                gateway.ready.store(is_ready, Ordering::Relaxed);
            });
            futures::future::join_all(asked).await;
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

async fn is_ready(gateway: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(gateway).await else { return false };
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: front\r\nConnection: close\r\n\r\n").await;
    let mut answer = [0; 12];
    asked.is_ok() && stream.read_exact(&mut answer).await.is_ok() && &answer == b"HTTP/1.1 200"
}
