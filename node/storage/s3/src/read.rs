//! Reading objects: streamed as they come, and taken up where they broke off.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream};
use zot_oci::ByteRange;
use zot_storage::{
    Error, Result,
    blobs::{PIECE_BYTES, Pieces},
};

use crate::{bucket::Found, store::Store};

/// How often a body may break off without getting on in between. Each new beginning is tried several times by itself.
const BREAKS_MAX: u32 = 4;

/// How many bytes count as getting on.
const PROGRESS_BYTES: u64 = 64 << 10;

/// The pause before the first new beginning; it doubles with each that brought nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// When to try again if bodies keep breaking off.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// An object that is being read.
struct Reading {
    store: Arc<Store>,
    key: String,
    found: Found,
    /// What was received and is too large to be handed on at once.
    received: Bytes,
    next: u64,
    last: u64,
    breaks: u32,
    /// Where the body last began, to see whether it gets on.
    began: u64,
}

/// Begins to read a range of an object: its size and its pieces. Nothing if it is not there or does not have the range.
pub(crate) async fn open(store: &Arc<Store>, key: String, range: ByteRange) -> Result<Option<(u64, Pieces)>> {
    let Some(found) = store.bucket.get(&key, Some(range)).await? else { return Ok(None) };
    let (size, first, last) = (found.size, range.first(), range.last());
    let reading = Reading { store: store.clone(), key, found, received: Bytes::new(), next: first, last, breaks: 0, began: first };
    let pieces = stream::try_unfold(reading, |mut reading| async {
        let piece = reading.piece().await?;
        Ok(piece.map(|piece| (piece, reading)))
    });
    Ok(Some((size, pieces.boxed())))
}

/// Begins to read at most a range of an object, less if it is smaller: its size and its pieces. Nothing if it is not there.
pub(crate) async fn open_within(store: &Arc<Store>, key: String, range: ByteRange) -> Result<Option<(u64, Pieces)>> {
    match store.bucket.size(&key).await? {
        None => Ok(None),
        Some(size) => match ByteRange::new(range.first(), range.last().min(size.saturating_sub(1))).filter(|_| size > 0) {
            Some(range) => open(store, key, range).await,
            None => Ok(Some((size, stream::empty().boxed()))),
        },
    }
}

impl Reading {
    /// The next piece.
    async fn piece(&mut self) -> Result<Option<Bytes>> {
        while self.received.is_empty() {
            if self.next > self.last {
                return Ok(None);
            }
            let Err(broken) = self.receive().await else { continue };
            self.begin_again(broken).await?;
        }
        let length = self.received.len().min(PIECE_BYTES);
        Ok(Some(self.received.split_to(length)))
    }

    /// Receives some bytes, or learns why there are none.
    async fn receive(&mut self) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let frame = std::future::poll_fn(|cx| http_body::Body::poll_frame(std::pin::Pin::new(&mut self.found.body), cx)).await;
        let frame = frame.ok_or("the body ended early")??;
        let mut bytes = frame.into_data().unwrap_or_default();
        bytes.truncate(usize::try_from(self.last - self.next + 1).unwrap_or(usize::MAX));
        self.next += bytes.len() as u64;
        self.received = bytes;
        Ok(())
    }

    /// Asks for the rest of a body that broke off.
    async fn begin_again(&mut self, broken: Box<dyn std::error::Error + Send + Sync>) -> Result<()> {
        let got_on = self.next - self.began >= PROGRESS_BYTES;
        self.breaks = if got_on { 1 } else { self.breaks + 1 };
        if self.breaks > BREAKS_MAX {
            return Err(Error::unavailable("blob store", RETRY_AFTER, broken));
        }
        tracing::debug!(
            key = self.key,
            at = self.next,
            error = &*broken as &dyn std::error::Error,
            "a body broke off, asking for its rest"
        );
        tokio::time::sleep(PAUSE * 2_u32.pow(self.breaks - 1)).await;
        let rest = ByteRange::new(self.next, self.last);
        match self.store.bucket.get(&self.key, rest).await? {
            Some(found) if found.size == self.found.size => {
                (self.found, self.began) = (found, self.next);
                Ok(())
            }
            _ => Err(Error::damaged(format!("object {}", self.key), "it changed while it was read")),
        }
    }
}
