//! An HTTP proxy in front of a server, that does what overloaded services do: refuse some requests, or let them wait.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, watch},
    task::JoinSet,
};

use crate::proxy;

/// The most bytes of a request before its body.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// How the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Well: everything is passed on.
    Fair,
    /// One request of so many is refused, with a status and a body.
    Refuses(u64, u16, &'static str),
    /// Every request waits for so long before it is passed on.
    Slow(Duration),
    /// Requests are passed on one after the other, each after so long; those whose senders have gone as well.
    OneAtATime(Duration),
}

/// What S3 answers when something is wrong with it.
pub const S3_INTERNAL_ERROR: &str = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>";
/// What DynamoDB answers to who asks for more than was paid for.
pub const DYNAMODB_THROTTLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded."}"#;

/// An HTTP/1.1 proxy in front of a port of this machine. It ends with its owner.
pub struct HttpProxy {
    port: u16,
    state: Arc<State>,
    _accepting: JoinSet<()>,
}

struct State {
    mood: watch::Sender<Mood>,
    requests: AtomicU64,
    refused: AtomicU64,
    turn: Mutex<()>,
}

impl HttpProxy {
    /// Starts a proxy in front of the server at `target`.
    pub async fn start(target: u16) -> Self {
        let (port, listener) = proxy::listen().await;
        let (requests, refused, turn) = Default::default();
        let state = Arc::new(State { mood: watch::Sender::new(Mood::Fair), requests, refused, turn });
        let (mut accepting, shared) = (JoinSet::new(), state.clone());
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let state = shared.clone();
                // A connection that breaks is its client's affair.
                connections.spawn(async move { connection(client, target, &state).await.ok() });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { port, state, _accepting: accepting }
    }

    /// Starts a proxy in front of the server at `url`, which is the proxy's from now on.
    pub async fn before(url: &mut String) -> Self {
        let proxy = Self::start(proxy::target(url)).await;
        proxy::redirect(url, proxy.port);
        proxy
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on the service is like this.
    pub fn set(&self, mood: Mood) {
        self.state.mood.send_replace(mood);
    }

    /// How many requests it has refused.
    pub fn refused(&self) -> u64 {
        self.state.refused.load(Ordering::Relaxed)
    }
}

async fn connection(client: TcpStream, target: u16, state: &State) -> io::Result<()> {
    let [(mut requests, mut to_client), (mut answers, mut to_server)] = proxy::connected(client, target).await?.map(TcpStream::into_split);
    let refused = tokio::select! {
        passed = pass_requests(&mut requests, &mut to_server, state) => passed?,
        copied = tokio::io::copy(&mut answers, &mut to_client) => return copied.map(drop),
    };
    // Nobody sends a request before the one before is answered, so that no answer is cut short.
    if let Some((status, body)) = refused {
        let answer = format!("HTTP/1.1 {status} Refused\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        to_client.write_all(answer.as_bytes()).await?;
    }
    to_client.shutdown().await
}

/// Passes requests on until the client goes away, or one is to be refused: with what.
async fn pass_requests(client: &mut OwnedReadHalf, server: &mut OwnedWriteHalf, state: &State) -> io::Result<Option<(u16, &'static str)>> {
    let mut read = Vec::new();
    loop {
        let Some(head) = head(client, &mut read).await? else { return Ok(None) };
        let number = state.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let mood = *state.mood.borrow();
        match mood {
            Mood::Refuses(one_in, status, body) if number.is_multiple_of(one_in) => {
                state.refused.fetch_add(1, Ordering::Relaxed);
                pass_body(client, &mut tokio::io::sink(), &mut read, &head).await?;
                return Ok(Some((status, body)));
            }
            Mood::Slow(time) => tokio::time::sleep(time).await,
            Mood::OneAtATime(time) => {
                let _turn = state.turn.lock().await;
                tokio::time::sleep(time).await;
            }
            _ => {}
        }
        server.write_all(&head).await?;
        pass_body(client, server, &mut read, &head).await?;
    }
}

/// What comes before a request's body; nothing if the client sends no further one.
async fn head(client: &mut OwnedReadHalf, read: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(Some(read.drain(..end + 4).collect()));
        }
        if read.len() > HEAD_BYTES_MAX || client.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
}

/// Passes on as many bytes as the head says that follow.
async fn pass_body(client: &mut OwnedReadHalf, to: &mut (impl AsyncWriteExt + Unpin), read: &mut Vec<u8>, head: &[u8]) -> io::Result<()> {
    let head = String::from_utf8_lossy(head).to_lowercase();
    assert!(!head.contains("transfer-encoding: chunked"), "the proxy knows only bodies whose length is told");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or("0", str::trim);
    let mut left: usize = length.parse().map_err(io::Error::other)?;
    loop {
        let piece = left.min(read.len());
        to.write_all(&read[..piece]).await?;
        read.drain(..piece);
        left -= piece;
        if left == 0 {
            return Ok(());
        }
        if client.read_buf(read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
