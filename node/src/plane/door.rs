//! The address of a node's plane, before the node serves there.

use std::{io, net::SocketAddr};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::address::Place;

/// Connections that may wait to be accepted; as many as the standard library lets.
const BACKLOG: u32 = 1024;

/// An address that is taken and at which nobody is let in yet.
#[derive(Debug)]
pub struct Door {
    place: Place,
    socket: TcpSocket,
}

impl Door {
    /// Takes the first address of the place that can be had.
    pub(super) async fn bind(place: Place) -> io::Result<Self> {
        let mut failed = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
        let addresses: Vec<SocketAddr> = lookup_host(&place.listen).await?.collect();
        for address in addresses {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // As listeners have it: connections of a process that ended hold up no other one.
            socket.set_reuseaddr(true)?;
            match socket.bind(address) {
                Ok(()) => return Ok(Self { place, socket }),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Lets them in.
    pub(super) fn open(self) -> anyhow::Result<(Place, TcpListener)> {
        let Self { place, socket } = self;
        let listener = socket.listen(BACKLOG).with_context(|| format!("listen on {}", place.listen))?;
        Ok((place, listener))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    fn place(listen: String) -> Place {
        Place { name: "n".to_owned(), advertised: listen.clone(), listen }
    }

    #[tokio::test]
    async fn nobody_is_let_in_before_it_is_open() {
        let door = Door::bind(place("127.0.0.1:0".to_owned())).await.unwrap();
        let address = door.socket.local_addr().unwrap();
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let (_, listener) = door.open().unwrap();
        assert!(TcpStream::connect(address).await.is_ok());
        listener.accept().await.unwrap();
    }

    #[tokio::test]
    async fn an_address_in_use_is_noticed_at_once() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refused = Door::bind(place(taken.local_addr().unwrap().to_string())).await;
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(Door::bind(place("127.0.0.1".to_owned())).await.is_err());
    }
}
