//! The parts of an upload that are full: sent several at a time.

use std::sync::Arc;

use tokio::task::JoinSet;
use zot_storage::{Error, Result};

use crate::{
    bucket::Multipart,
    buffer::Body,
    memory::Share,
    parts::{PARTS_MAX, part_bytes, parts_bytes},
    store::Store,
};

/// The parts of an upload: those that were sent, and those on their way.
#[derive(Debug)]
pub(super) struct Parts {
    first_bytes: u64,
    /// Nothing for those on their way.
    etags: Vec<Option<String>>,
    flight: JoinSet<(usize, u64, Result<String>)>,
    flight_bytes: u64,
}

impl Parts {
    /// Takes up parts that were sent, the first of which have `first_bytes`.
    pub(super) fn new(first_bytes: u64, etags: Vec<String>) -> Self {
        let etags = etags.into_iter().map(Some).collect();
        Self { first_bytes, etags, flight: JoinSet::new(), flight_bytes: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.etags.is_empty()
    }

    /// The number of bytes in them.
    pub(super) fn bytes(&self) -> u64 {
        parts_bytes(self.first_bytes, self.etags.len())
    }

    /// The size of the part that comes next.
    pub(super) fn next_bytes(&self) -> u64 {
        part_bytes(self.first_bytes, self.etags.len())
    }

    /// The ETags of those that were sent, in order, up to the first that was not.
    pub(super) fn etags(&self) -> Vec<String> {
        self.etags.iter().map_while(Clone::clone).collect()
    }

    /// Sends the next part in the background, as soon as few enough are on their way.
    pub(super) async fn send(&mut self, store: &Arc<Store>, to: Multipart, body: Body, share: Share) -> Result<()> {
        let (index, length, limits) = (self.etags.len(), body.len(), store.limits);
        if index >= PARTS_MAX {
            return Err(Error::remote(format!("upload part {} of {}", index + 1, to.key), format!("there are {PARTS_MAX} at most")));
        }
        while self.flight.len() >= limits.flight_parts_max
            || (self.flight_bytes + length > limits.flight_bytes_max && !self.flight.is_empty())
        {
            self.settle_one().await?;
        }
        self.etags.push(None);
        self.flight_bytes += length;
        let store = store.clone();
        self.flight.spawn(async move {
            let sent = store.bucket.upload_part(&to, index, body).await;
            drop(share);
            (index, length, sent)
        });
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<()> {
        let Some(joined) = self.flight.join_next().await else { return Ok(()) };
        let (index, length, sent) = joined.map_err(|error| Error::Interrupted(error.into()))?;
        self.flight_bytes -= length;
        let etag = sent?;
        if let Some(part) = self.etags.get_mut(index) {
            *part = Some(etag);
        }
        Ok(())
    }

    /// Waits until all were sent.
    pub(super) async fn settle(&mut self) -> Result<()> {
        while !self.flight.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }
}
