//! Tells lanes from HTTP/2 by how they begin, for both come to one port.

use std::{future, io, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::{io::AsyncReadExt as _, sync::mpsc, time::timeout};

use super::{
    begun::{Begun, PREFACE},
    connection::Connection,
};
use crate::lanes::MAGIC;

/// How long the first bytes may take. Whoever connects has something to say.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
/// The most connections at a time that have not said yet what they are.
const UNSORTED_MAX: usize = 1024;

/// Those of the connections that speak HTTP/2. Lanes are handed to `lanes`, if there is room, and everything else is closed.
pub(crate) fn sorted(
    incoming: impl Stream<Item = io::Result<Connection>> + Send,
    lanes: mpsc::Sender<Connection>,
) -> impl Stream<Item = io::Result<Connection>> + Send {
    let begun = incoming.map(begun).buffer_unordered(UNSORTED_MAX);
    begun.filter_map(move |begun| {
        future::ready(match begun {
            Ok(Some(Kind::Http2(connection))) => Some(Ok(connection)),
            Ok(Some(Kind::Lane(connection))) => {
                // Whoever finds no room goes by gRPC.
                drop(lanes.try_send(connection));
                None
            }
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        })
    })
}

/// A connection that said what it is.
enum Kind {
    Http2(Connection),
    Lane(Connection),
}

/// What `incoming` is, once its first bytes came; nothing if they do not, or say something else.
async fn begun(incoming: io::Result<Connection>) -> io::Result<Option<Kind>> {
    let mut connection = incoming?;
    let mut first = [0; MAGIC.len()];
    if !matches!(timeout(BEGIN_WITHIN, connection.read_exact(&mut first)).await, Ok(Ok(_))) {
        return Ok(None);
    }
    Ok(match &first {
        MAGIC => Some(Kind::Lane(connection)),
        first if PREFACE.starts_with(first) => {
            let read = Bytes::from_static(&PREFACE[..MAGIC.len()]);
            Some(Kind::Http2(Connection::new(Begun { read, sent: 0, connection })))
        }
        _ => {
            tracing::debug!("closed a connection to the internal plane that is neither HTTP/2 nor a lane");
            None
        }
    })
}
