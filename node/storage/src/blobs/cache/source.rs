//! Where a cached blob comes from, and how a read goes on from there when the cache fails in the middle of it.

use std::sync::Arc;

use futures::{StreamExt, stream};
use zot_oci::ByteRange;

use crate::{
    BlobAddress, Error, Result,
    blobs::{BlobStore, Opened},
    error::chain,
};

/// A blob in the store behind.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) remote: Arc<dyn BlobStore>,
    pub(super) at: BlobAddress,
    pub(super) size: u64,
}

impl Source {
    pub(super) async fn read(&self, range: ByteRange) -> Result<Opened> {
        self.remote.read(&self.at, self.size, range).await
    }
}

/// A read that may still go on from elsewhere.
struct Reading {
    pieces: Opened,
    /// Taken when the read goes on from there.
    source: Option<Source>,
    next: u64,
    last: u64,
}

/// Pieces of the cache; after an error of its own, the rest comes from the store behind.
pub(super) fn or_else_remote(pieces: Opened, source: Source, range: ByteRange, is_own: fn(&Error) -> bool) -> Opened {
    let reading = Reading { pieces, source: Some(source), next: range.first(), last: range.last() };
    stream::try_unfold(reading, move |mut reading| async move {
        loop {
            match reading.pieces.next().await.transpose() {
                Ok(None) => return Ok(None),
                Ok(Some(piece)) => {
                    reading.next += piece.length();
                    return Ok(Some((piece, reading)));
                }
                Err(error) if is_own(&error) => reading.turn_to_remote(error).await?,
                Err(error) => return Err(error),
            }
        }
    })
    .boxed()
}

impl Reading {
    async fn turn_to_remote(&mut self, error: Error) -> Result<()> {
        let (Some(source), Some(rest)) = (self.source.take(), ByteRange::new(self.next, self.last)) else { return Err(error) };
        tracing::debug!(error = chain(&error), blob = source.at.as_str(), "a read goes on past the cache");
        self.pieces = source.read(rest).await?;
        Ok(())
    }
}
