//! Addresses at which a process is asked.

use std::io;

use tokio::net::{TcpSocket, lookup_host};

/// How many connections may wait to be accepted, as far as the system allows (`net.core.somaxconn`). The 128 that libraries ask for are fewer than
/// the clients of a fleet that all pull at the same moment, and who finds no room waits a second before trying again.
pub const BACKLOG: u32 = 4096;

/// Takes the first address of a `host:port` that can be had. Connections are refused until it is listened on.
///
/// # Errors
/// The name has no address, or somebody listens on each of them.
pub async fn bind(address: &str) -> io::Result<TcpSocket> {
    let mut failed = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // As listeners have it: connections of a process that ended hold up no other one.
        socket.set_reuseaddr(true)?;
        match socket.bind(address) {
            Ok(()) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn connections_are_refused_before_it_is_listened_on() {
        let socket = bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let listener = socket.listen(BACKLOG).unwrap();
        assert!(TcpStream::connect(address).await.is_ok());
        listener.accept().await.unwrap();
    }

    #[tokio::test]
    async fn an_address_in_use_is_noticed_at_once() {
        let taken = bind("127.0.0.1:0").await.unwrap().listen(BACKLOG).unwrap();
        let refused = bind(&taken.local_addr().unwrap().to_string()).await;
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(bind("127.0.0.1").await.is_err());
    }
}
