//! A connection without a client's manners: bytes are sent as they are, and what comes back is read as it comes.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use zot_tests::{Registry, Sandbox, cluster::Member, front::Names, wait};

/// What has a process of ours to connect to.
pub(crate) trait Reach {
    /// Where that process listens.
    fn process_address(&self) -> SocketAddr;

    /// What it calls the repositories of this test.
    fn names(&self) -> Names {
        Names::as_they_are()
    }
}

impl Reach for Sandbox {
    fn process_address(&self) -> SocketAddr {
        self.address()
    }
}

impl Reach for Member {
    fn process_address(&self) -> SocketAddr {
        self.address()
    }
}

impl Reach for Registry {
    fn process_address(&self) -> SocketAddr {
        self.process_address()
    }

    fn names(&self) -> Names {
        self.names().clone()
    }
}

/// A raw connection to a process of ours: no front that would correct what is sent stands in between.
pub(crate) struct Wire {
    stream: TcpStream,
    names: Names,
}

impl Wire {
    /// Connects.
    pub(crate) async fn open(to: &impl Reach) -> Self {
        Self { stream: TcpStream::connect(to.process_address()).await.unwrap(), names: to.names() }
    }

    /// Sends `text`, in which only the name of a repository that a request begins with is another; a connection that the other side has
    /// closed is no failure.
    pub(crate) async fn send(&mut self, text: &str) -> bool {
        let text = match text.split_once(' ') {
            Some((method, rest)) => {
                let (path, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
                format!("{method} {}{rest}", self.names.outward(path))
            }
            None => text.to_owned(),
        };
        self.stream.write_all(text.as_bytes()).await.is_ok()
    }

    /// Reads until `end` was seen or the connection ends, and gives what came.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let read = async {
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&text).contains(end) {
                match self.stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(length) => text.extend_from_slice(&buffer[..length]),
                }
            }
        };
        tokio::time::timeout(wait::PATIENCE, read).await.expect("an answer, or the end of the connection");
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Reads until the connection ends.
    pub(crate) async fn read_to_end(&mut self) -> String {
        self.read_until("\u{0}never sent\u{0}").await
    }

    /// Sends a byte at a time with a pause after each until the other side has enough of it; how many it took, at most `bytes_max`.
    pub(crate) async fn drip(&mut self, byte: &str, pause: Duration, bytes_max: usize) -> usize {
        for sent in 0..bytes_max {
            if !self.send(byte).await || self.is_closed(pause).await {
                return sent;
            }
        }
        bytes_max
    }

    /// Whether the other side ends the connection within `time`, saying nothing or whatever it likes before.
    async fn is_closed(&mut self, time: Duration) -> bool {
        let mut buffer = [0; 4096];
        let closed = async {
            loop {
                match self.stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            }
        };
        tokio::time::timeout(time, closed).await.is_ok()
    }
}

/// Sends one request, with `Connection: close`, and gives the whole answer.
pub(crate) async fn exchange(with: &impl Reach, request_line: &str, headers: &str, body: &str) -> String {
    let mut wire = Wire::open(with).await;
    wire.send(&format!("{request_line} HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n{headers}\r\n{body}")).await;
    wire.read_to_end().await
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {answer:?}"))
}
