//! Blobs on their way into the cache, and reading along with them.

use std::{collections::HashMap, fs::File, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::watch;
use zot_oci::ByteRange;

use super::{
    Name,
    source::{Source, or_else_remote},
};
use crate::{
    Error, Result,
    blobs::{Opened, PIECE_BYTES, opened},
    error::{blocking, chain},
};

/// The blobs on their way, by name.
#[derive(Debug, Default)]
pub(super) struct Flights {
    under_way: HashMap<Name, Entry>,
    departed: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    flight: Flight,
    cancelled: bool,
}

/// A blob on its way.
#[derive(Debug, Clone)]
pub(super) struct Flight(watch::Receiver<Progress>);

/// How far a blob is on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// The file it is written to, once there is one and the store behind has begun to answer.
    pub(super) file: Option<Arc<File>>,
    /// How many of its bytes may be read. The last piece is held back until the digest is known to be right.
    pub(super) readable: u64,
    /// How the store behind failed, if it did. If the cache failed, nobody reports progress any more.
    pub(super) failure: Option<Arc<Error>>,
}

impl Flights {
    /// The blob of this name on its way.
    pub(super) fn get(&self, name: &Name) -> Option<Flight> {
        self.under_way.get(name).filter(|entry| !entry.cancelled).map(|entry| entry.flight.clone())
    }

    /// Notes that a blob is on its way from now on. Returns the number of the flight, where to report, and what to follow.
    pub(super) fn depart(&mut self, name: Name) -> (u64, watch::Sender<Progress>, Flight) {
        self.departed += 1;
        let (report, progress) = watch::channel(Progress::default());
        let flight = Flight(progress);
        self.under_way.insert(name, Entry { number: self.departed, flight: flight.clone(), cancelled: false });
        (self.departed, report, flight)
    }

    /// Lets nobody else follow a flight, and has its blob not kept.
    pub(super) fn cancel(&mut self, name: &Name) {
        if let Some(entry) = self.under_way.get_mut(name) {
            entry.cancelled = true;
        }
    }

    /// Notes that a flight is over. Whether its blob may be kept.
    pub(super) fn land(&mut self, name: &Name, number: u64) -> bool {
        if self.under_way.get(name).is_none_or(|entry| entry.number != number) {
            return false;
        }
        self.under_way.remove(name).is_some_and(|entry| !entry.cancelled)
    }
}

impl Flight {
    /// Reads along with who fetches the blob; where the cache fails, from the store behind.
    pub(super) async fn follow(mut self, source: Source, range: ByteRange) -> Result<Opened> {
        let begun = self.0.wait_for(|progress| progress.file.is_some() || progress.failure.is_some()).await;
        match begun.map(|progress| progress.failure.clone()) {
            Ok(Some(failure)) => Err(again(&failure)),
            Ok(None) => Ok(or_else_remote(opened(self.pieces(range.length())), source, range, is_own)),
            Err(_gave_up) => source.read(range).await,
        }
    }

    fn pieces(self, size: u64) -> impl Stream<Item = Result<Bytes>> {
        stream::try_unfold((self, 0), move |(mut flight, position)| async move {
            if position == size {
                return Ok(None);
            }
            let piece = flight.piece(position).await?;
            let next = position + piece.len() as u64;
            Ok(Some((piece, (flight, next))))
        })
    }

    /// The next piece, waited for.
    async fn piece(&mut self, position: u64) -> Result<Bytes> {
        let arrived = self.0.wait_for(|progress| progress.readable > position || progress.failure.is_some()).await;
        let Progress { file, readable, failure } = arrived.map_err(|gave_up| Error::Interrupted(gave_up.into()))?.clone();
        if let Some(failure) = failure {
            return Err(again(&failure));
        }
        let Some(file) = file else { return Err(Error::Interrupted("there is no file to read".into())) };
        let mut piece = vec![0; (readable - position).min(PIECE_BYTES as u64) as usize];
        blocking(move || {
            file.read_exact_at(&mut piece, position).map_err(Error::file("read", "a blob in the cache"))?;
            Ok(piece.into())
        })
        .await
    }
}

/// Whether an error is the cache's own, and not that of the store behind.
fn is_own(error: &Error) -> bool {
    matches!(error, Error::File { .. } | Error::Interrupted(_))
}

/// The failure of the store behind, for each of those who followed.
fn again(failure: &Arc<Error>) -> Error {
    match &**failure {
        Error::Damaged { what, source } => Error::damaged(what.clone(), chain(&**source)),
        Error::Unavailable { what, retry_after, source } => Error::unavailable(what, *retry_after, chain(&**source)),
        _ => Error::remote("fetch a blob", failure.clone()),
    }
}
