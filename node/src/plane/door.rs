//! The address of a node's plane, before the node serves there.

use std::io;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use zot_runtime::listening;

use super::address::Place;

/// An address that is taken and at which nobody is let in yet.
#[derive(Debug)]
pub struct Door {
    place: Place,
    socket: TcpSocket,
}

impl Door {
    /// Takes the place's address.
    pub(super) async fn bind(place: Place) -> io::Result<Self> {
        let socket = listening::bind(&place.listen).await?;
        Ok(Self { place, socket })
    }

    /// Lets them in.
    pub(super) fn open(self) -> anyhow::Result<(Place, TcpListener)> {
        let Self { place, socket } = self;
        let listener = socket.listen(listening::BACKLOG).with_context(|| format!("listen on {}", place.listen))?;
        Ok((place, listener))
    }
}
