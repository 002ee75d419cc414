//! A node of an older release: it speaks gRPC, and knows nothing of lanes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use zot_contract::Registry;
use zot_proto::{Dialer, RemoteRegistry};

use crate::wire::Server;

/// The settings that a server of HTTP/2 begins with, whatever it hears.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Passes on what is gRPC, and does with anything else what HTTP/2 does.
pub(crate) struct Older {
    address: SocketAddr,
    /// How often it was asked for something else.
    pub(crate) puzzled: Arc<AtomicUsize>,
    task: JoinHandle<()>,
    _server: Server,
}

impl Older {
    pub(crate) async fn start(registry: Arc<dyn Registry>) -> Self {
        let server = Server::start(registry, 0).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, behind, puzzled) = (listener.local_addr().unwrap(), server.address.clone(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&puzzled);
        let task = tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(pass(caller, behind.clone(), Arc::clone(&count)));
            }
        });
        Self { address, puzzled, task, _server: server }
    }

    pub(crate) fn remote(&self) -> RemoteRegistry {
        RemoteRegistry::dial(&Dialer::plain(), &self.address.to_string()).unwrap()
    }
}

impl Drop for Older {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut caller: TcpStream, behind: String, puzzled: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut first = [0; 3];
    caller.read_exact(&mut first).await?;
    if &first != b"PRI" {
        puzzled.fetch_add(1, Ordering::Relaxed);
        return caller.write_all(&SETTINGS).await;
    }
    let mut server = TcpStream::connect(behind).await?;
    server.write_all(&first).await?;
    copy_bidirectional(&mut caller, &mut server).await.map(drop)
}
