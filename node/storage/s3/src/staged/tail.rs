//! The end of an upload that does not fill a part yet: in memory, and as objects of its own as far as it was flushed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use zot_contract::UploadId;
use zot_oci::ByteRange;
use zot_storage::{Error, Result};

use super::state::Fragment;
use crate::{
    buffer::{BLOCK_BYTES_MAX, Body, Buffer},
    keys,
    memory::{Share, Ticket},
    read,
    store::Store,
};

/// How much memory is asked for at a time, in bytes.
const GROWTH_BYTES: u64 = BLOCK_BYTES_MAX as u64;

/// The most objects that a tail is made of. A client that sends tiny chunks has them put together in between.
const FRAGMENTS_MAX: usize = 16;

/// How long a part may be filled before it makes room for others that wait.
const SLOW: Duration = Duration::from_secs(2);

/// The end of an upload.
#[derive(Debug)]
pub(super) struct Tail {
    store: Arc<Store>,
    upload: UploadId,
    /// Whether the upload begins with it: there are no parts.
    first: bool,
    /// The objects at places of their own that were written here, each of which had everything at its time.
    wholes: Vec<Fragment>,
    /// The objects that hold its first `saved` bytes.
    fragments: Vec<Fragment>,
    saved: u64,
    /// Its bytes from `start` on, which is where it begins or where what was saved ends.
    memory: Buffer,
    start: u64,
    share: Share,
    /// A copy of what was saved, if the store still has it.
    ticket: Option<Ticket>,
    /// When its memory was last empty.
    since: Instant,
}

impl Tail {
    pub(super) fn new(store: Arc<Store>, upload: UploadId, first: bool, fragments: Vec<Fragment>) -> Self {
        let saved = fragments.iter().map(|fragment| fragment.size).sum();
        let (memory, share, since) = (Buffer::default(), Share::default(), Instant::now());
        Self { store, upload, first, wholes: Vec::new(), fragments, saved, memory, start: saved, share, ticket: None, since }
    }

    pub(super) fn len(&self) -> u64 {
        self.start + self.memory.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The objects that hold what was saved.
    pub(super) fn fragments(&self) -> &[Fragment] {
        &self.fragments
    }

    /// The objects at places that were written here, also such as were replaced since.
    pub(super) fn wholes(&self) -> &[Fragment] {
        &self.wholes
    }

    /// The place of an object that holds the whole upload as it is, if this process has written one.
    ///
    /// What another process has written at a place is not taken for it: that one may remove it, as its own.
    pub(super) fn whole(&self) -> Option<&str> {
        match self.fragments.as_slice() {
            [one] if self.first && self.saved == self.len() && self.wholes.contains(one) => Some(&one.name),
            _ => None,
        }
    }

    /// Whether an object of the upload may be removed once nothing of it is needed. What another process has written at a place may not: it may
    /// have become a blob.
    pub(super) fn is_ours(&self, name: &str) -> bool {
        !keys::is_place(name) || self.wholes.iter().any(|whole| whole.name == name)
    }

    /// Goes on with what another tail of the upload has written.
    pub(super) fn inherit(&mut self, other: &mut Self) {
        self.wholes = std::mem::take(&mut other.wholes);
    }

    /// Appends bytes.
    pub(super) async fn push(&mut self, piece: Bytes) -> Result<()> {
        self.recall();
        if self.memory.is_empty() {
            self.since = Instant::now();
        } else if self.store.budget.is_wanted() && self.since.elapsed() > SLOW {
            self.spill().await?;
        }
        let needed = self.memory.len() + piece.len() as u64;
        if needed > self.share.bytes() && !self.store.budget.try_grow(&mut self.share, needed.next_multiple_of(GROWTH_BYTES)) {
            // Nobody waits with full hands.
            self.spill().await?;
            self.share = self.store.budget.take(piece.len() as u64).await?;
        }
        self.memory.push(piece);
        Ok(())
    }

    /// Sends what was not saved yet, and gives up the memory.
    async fn spill(&mut self) -> Result<()> {
        self.save().await?;
        self.forget();
        Ok(())
    }

    /// Sends what was not saved yet, as an object of its own.
    pub(super) async fn save(&mut self) -> Result<()> {
        if self.len() == self.saved {
            return Ok(());
        }
        if self.fragments.len() >= FRAGMENTS_MAX {
            self.load().await?;
            return self.save_from(0).await;
        }
        self.save_from(self.saved).await
    }

    async fn save_from(&mut self, from: u64) -> Result<()> {
        let whole = self.first && from == 0;
        let name = if whole { keys::place(self.upload) } else { keys::tail(self.upload) };
        let bytes = self.memory.from(from - self.start);
        let fragment = Fragment { name, size: bytes.len() };
        self.store.bucket.put(&self.store.keys.of(&fragment.name), bytes).await?;
        if whole {
            self.wholes.push(fragment.clone());
        }
        if from == 0 {
            self.fragments.clear();
        }
        self.fragments.push(fragment);
        self.saved = self.len();
        Ok(())
    }

    /// Gives up the memory for what was saved, all of it. The store keeps a copy while it has room.
    pub(super) fn rest(&mut self) {
        if self.saved < self.len() || self.memory.is_empty() {
            return;
        }
        let memory = std::mem::take(&mut self.memory);
        self.ticket = (self.start == 0).then(|| self.store.kept.keep(memory));
        self.start = self.saved;
        self.share = Share::default();
    }

    /// Gives up the memory for what was saved, all of it.
    pub(super) fn forget(&mut self) {
        (self.memory, self.share, self.ticket) = (Buffer::default(), Share::default(), None);
        self.start = self.saved;
    }

    /// Takes back what the store kept of it, if that is everything and there is memory for it now.
    fn recall(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let Some(mut kept) = self.store.kept.take(ticket) else { return };
        kept.truncate(self.saved);
        if self.memory.is_empty() && self.store.budget.try_grow(&mut self.share, kept.len()) {
            (self.memory, self.start) = (kept, 0);
        }
    }

    /// Makes sure that all of it is in memory.
    pub(super) async fn load(&mut self) -> Result<()> {
        self.recall();
        if self.start == 0 {
            return Ok(());
        }
        let length = self.len();
        if !self.store.budget.try_grow(&mut self.share, length) {
            if self.saved < length {
                self.save_from(self.saved).await?;
            }
            self.forget();
            self.share = self.store.budget.take(length).await?;
        }
        let mut memory = Buffer::default();
        for fragment in &self.fragments {
            fetch(&self.store, fragment, &mut memory).await?;
        }
        self.memory.from(0).pieces().for_each(|piece| memory.push(piece));
        (self.memory, self.start) = (memory, 0);
        Ok(())
    }

    /// All of it, loaded before, without a copy.
    pub(super) fn bytes(&mut self) -> Body {
        self.memory.from(0)
    }

    /// Takes all of it, loaded before, with the memory it has; nothing is left. Also returns the objects that held it.
    pub(super) fn take(&mut self) -> (Body, Share, Vec<Fragment>) {
        let bytes = self.memory.from(0);
        let fragments = std::mem::take(&mut self.fragments);
        (self.saved, self.first) = (0, false);
        let share = std::mem::take(&mut self.share);
        self.forget();
        (bytes, share, fragments)
    }

    /// Drops everything after the first `length` bytes.
    pub(super) fn truncate(&mut self, length: u64) {
        let mut left = length;
        for fragment in &mut self.fragments {
            fragment.size = fragment.size.min(left);
            left -= fragment.size;
        }
        self.fragments.retain(|fragment| fragment.size > 0);
        self.saved = self.saved.min(length);
        if self.start > length {
            (self.memory, self.start) = (Buffer::default(), length);
        } else {
            self.memory.truncate(length - self.start);
        }
    }
}

/// Reads a fragment to the end of `memory`.
async fn fetch(store: &Arc<Store>, fragment: &Fragment, memory: &mut Buffer) -> Result<()> {
    use futures::TryStreamExt;
    let damaged = || Error::damaged(format!("object {}", fragment.name), "it is not there, or shorter than it was");
    let range = ByteRange::whole(fragment.size).ok_or_else(damaged)?;
    let (size, mut pieces) = read::open(store, store.keys.of(&fragment.name), range).await?.ok_or_else(damaged)?;
    if size < fragment.size {
        return Err(damaged());
    }
    while let Some(piece) = pieces.try_next().await? {
        memory.push(piece);
    }
    Ok(())
}
