//! Bodies that arrive in odd ways: in pieces, broken off, or held back until a test lets them go on.

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::sync::oneshot;

use crate::{BoxError, Chunk};

/// A body of unknown length that arrives in `pieces`; other tasks get a turn before each.
pub fn in_pieces(pieces: Vec<Bytes>) -> Chunk {
    chunk(stream::iter(pieces).then(async |piece| {
        tokio::task::yield_now().await;
        Ok(piece)
    }))
}

/// A body that breaks off after `bytes`.
pub fn broken_after(bytes: Bytes) -> Chunk {
    let broken: BoxError = "connection reset".into();
    chunk(stream::iter([Ok(bytes), Err(broken)]))
}

/// A body that stops between its two pieces until it is told to go on.
pub fn held(first: Bytes, second: Bytes) -> (Chunk, Hold) {
    let (at_hold, stopped) = oneshot::channel();
    let (go_on, released) = oneshot::channel();
    let rest = stream::once(async move {
        let _ = at_hold.send(());
        // A hold that was dropped lets go too.
        let _ = released.await;
        Ok(second)
    });
    let hold = Hold { stopped, go_on };
    (chunk(stream::iter([Ok(first)]).chain(rest)), hold)
}

/// The other end of a body that is held back.
#[derive(Debug)]
pub struct Hold {
    stopped: oneshot::Receiver<()>,
    go_on: oneshot::Sender<()>,
}

impl Hold {
    /// Waits until the body's first piece was taken and its second is asked for.
    pub async fn reached(&mut self) {
        (&mut self.stopped).await.unwrap();
    }

    /// Lets the body go on.
    pub fn release(self) {
        let _ = self.go_on.send(());
    }
}

fn chunk(stream: impl futures::Stream<Item = Result<Bytes, BoxError>> + Send + 'static) -> Chunk {
    Chunk { at: None, length: None, stream: stream.boxed() }
}
