//! A TCP proxy in front of a server, that does what networks do: delay, hang, reset, cut.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

use crate::{port, processes::Processes};

/// How much is passed on at a time, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// What is wrong with the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every piece arrives later by this, in both directions.
    Latency(Duration),
    /// Connections are made and stay open, but nothing gets through.
    Hang,
    /// Every connection is reset, also new ones.
    Reset,
    /// Every connection is closed, and new ones are refused.
    Cut,
}

/// A TCP proxy in front of a port of this machine. It ends with its owner.
pub struct Proxy {
    port: u16,
    fault: watch::Sender<Fault>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy in front of the server at `target`.
    pub async fn start(target: u16) -> Self {
        Self::accepting(|listener, port, faults| accept(listener, port, target, faults)).await
    }

    /// Starts a proxy in front of the server at `target`, of which only these processes notice what is wrong.
    pub async fn start_for(processes: Processes, target: u16) -> Self {
        Self::accepting(|listener, _, faults| accept_apart(listener, target, faults, processes)).await
    }

    async fn accepting<A: Future<Output = ()> + Send + 'static>(
        accept: impl FnOnce(TcpListener, u16, watch::Receiver<Fault>) -> A,
    ) -> Self {
        let (port, listener) = listen().await;
        let (fault, faults) = watch::channel(Fault::None);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, port, faults));
        Self { port, fault, _accepting: accepting }
    }

    /// Starts a proxy in front of the server at `url`, which is the proxy's from now on.
    pub async fn before(url: &mut String) -> Self {
        let proxy = Self::start(target(url)).await;
        redirect(url, proxy.port);
        proxy
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on this is wrong with the network.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// From now on nothing is wrong with the network.
    pub fn heal(&self) {
        self.set(Fault::None);
    }
}

/// The port of a URL that ends with one.
pub(crate) fn target(url: &str) -> u16 {
    let port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    port.unwrap_or_else(|| panic!("`{url}` does not end with a port"))
}

/// Gives a URL that ends with a port another one.
pub(crate) fn redirect(url: &mut String, port: u16) {
    url.truncate(url.rfind(':').map_or(0, |colon| colon + 1));
    url.push_str(&port.to_string());
}

/// A free port, and what listens there.
pub(crate) async fn listen() -> (u16, TcpListener) {
    let port = port::free();
    (port, TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("the port is free"))
}

/// A client's connection, and one to the server at `target`; what is written to them goes out at once.
pub(crate) async fn connected(client: TcpStream, target: u16) -> io::Result<[TcpStream; 2]> {
    let both = [client, TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await?];
    both.iter().try_for_each(|stream| stream.set_nodelay(true))?;
    Ok(both)
}

/// Accepts until the proxy is dropped, and its connections with it.
async fn accept(listener: TcpListener, port: u16, target: u16, mut faults: watch::Receiver<Fault>) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let cut = *faults.borrow_and_update() == Fault::Cut;
        if cut {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("the port is free still"));
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = faults.changed() => if changed.is_err() { return },
            accepted = accepted => if let Ok((client, _)) = accepted {
                connections.spawn(connection(client, target, faults.clone()));
            },
            // Ended connections are not kept.
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Accepts until the proxy is dropped, and its connections with it: always, because it shows only then whether somebody is cut off.
async fn accept_apart(listener: TcpListener, target: u16, faults: watch::Receiver<Fault>, processes: Processes) {
    let (_nothing, no_faults) = watch::channel(Fault::None);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                let (processes, faults, no_faults) = (processes.clone(), faults.clone(), no_faults.clone());
                connections.spawn(async move {
                    let faults = if processes.made(&client).await { faults } else { no_faults };
                    connection(client, target, faults).await;
                });
            },
            // Ended connections are not kept.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, target: u16, mut faults: watch::Receiver<Fault>) {
    let Ok(both) = connected(client, target).await else { return };
    let sockets: Vec<_> = both.iter().map(duplicate).collect();
    let [(from_client, to_client), (from_server, to_server)] = both.map(TcpStream::into_split);
    let (up, down) = (pump(from_client, to_server, faults.clone()), pump(from_server, to_client, faults.clone()));
    let ended = async { tokio::join!(up, down) };
    tokio::select! {
        _ = ended => {}
        _ = faults.wait_for(|fault| matches!(fault, Fault::Reset | Fault::Cut)) => {}
    }
    if *faults.borrow() == Fault::Reset {
        for socket in sockets.into_iter().flatten() {
            // Closing a socket that does not linger resets the connection.
            rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).ok();
        }
    }
}

fn duplicate(stream: &TcpStream) -> io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::AsFd;
    stream.as_fd().try_clone_to_owned()
}

/// Passes on what arrives, as the fault of the moment lets it.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut faults: watch::Receiver<Fault>) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = from.read(&mut piece).await?;
        let fault = *faults.wait_for(|fault| *fault != Fault::Hang).await.map_err(io::Error::other)?;
        if let Fault::Latency(latency) = fault {
            tokio::time::sleep(latency).await;
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
