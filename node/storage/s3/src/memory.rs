//! How much memory uploads take altogether: a budget for bytes on their way, and room for some that are safe in the bucket already.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zot_storage::{Error, Result};

use crate::buffer::Buffer;

/// In what units memory is accounted for, in bytes.
const UNIT_BYTES: u64 = 4 << 10;

/// Memory that all uploads share.
///
/// Nobody waits for it while holding bytes that only a client can set free: whoever finds none left sends what it has to the bucket first, and
/// so do uploads that fill their part slowly while somebody waits. So slow clients cannot hold up the others for longer than they may be silent.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    units: u32,
    waiting: Arc<AtomicUsize>,
}

/// A share of the budget, given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share(Option<OwnedSemaphorePermit>);

impl Share {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |permit| permit.num_permits() as u64 * UNIT_BYTES)
    }
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).clamp(1, Semaphore::MAX_PERMITS as u32);
        Self { free: Arc::new(Semaphore::new(units as usize)), units, waiting: Arc::default() }
    }

    /// Whoever needs more than there is altogether gets everything.
    fn units(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(self.units)
    }

    /// Makes a share cover at least `bytes`, if there is as much left.
    pub(crate) fn try_grow(&self, share: &mut Share, bytes: u64) -> bool {
        let more = self.units(bytes.saturating_sub(share.bytes()));
        let Ok(permit) = self.free.clone().try_acquire_many_owned(more) else { return false };
        match &mut share.0 {
            Some(held) => held.merge(permit),
            None => share.0 = Some(permit),
        }
        true
    }

    /// Whether anybody waits for a share.
    pub(crate) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits for a share of `bytes`, in turn.
    pub(crate) async fn take(&self, bytes: u64) -> Result<Share> {
        let _waiting = Waiting::new(&self.waiting);
        let permit = self.free.clone().acquire_many_owned(self.units(bytes)).await;
        permit.map(|permit| Share(Some(permit))).map_err(|error| Error::Interrupted(error.into()))
    }

    /// What nobody has, in bytes.
    #[cfg(test)]
    pub(crate) fn left(&self) -> u64 {
        self.free.available_permits() as u64 * UNIT_BYTES
    }
}

/// Counts one who waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes that were flushed and may be wanted again: the latest of them, as far as there is room. They are in the bucket too.
#[derive(Debug)]
pub(crate) struct Kept {
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    bytes: u64,
    buffers: VecDeque<(Ticket, Buffer)>,
}

/// What kept bytes are asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl Kept {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, state: Mutex::default() }
    }

    /// Keeps a buffer for as long as there is room for it and all later ones.
    pub(crate) fn keep(&self, buffer: Buffer) -> Ticket {
        let mut state = self.state.lock();
        let ticket = Ticket(state.next);
        state.next += 1;
        state.bytes += buffer.len();
        state.buffers.push_back((ticket, buffer));
        while state.bytes > self.bytes_max
            && let Some((_, oldest)) = state.buffers.pop_front()
        {
            state.bytes -= oldest.len();
        }
        ticket
    }

    /// Takes a buffer out, if it is still there.
    pub(crate) fn take(&self, ticket: Ticket) -> Option<Buffer> {
        let mut state = self.state.lock();
        let index = state.buffers.iter().position(|(found, _)| *found == ticket)?;
        let (_, buffer) = state.buffers.remove(index)?;
        state.bytes -= buffer.len();
        Some(buffer)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn shares_grow_while_there_is_something_left() {
        let (budget, mut share) = (Budget::new(10 * UNIT_BYTES), Share::default());
        assert!(budget.try_grow(&mut share, 1) && budget.try_grow(&mut share, 6 * UNIT_BYTES));
        assert_eq!((share.bytes(), budget.left()), (6 * UNIT_BYTES, 4 * UNIT_BYTES));
        assert!(!budget.try_grow(&mut Share::default(), 5 * UNIT_BYTES));
        drop(share);
        assert_eq!(budget.take(100 * UNIT_BYTES).await.unwrap().bytes(), 10 * UNIT_BYTES);
        assert_eq!(budget.left(), 10 * UNIT_BYTES);
    }

    fn buffer(bytes: &'static [u8]) -> Buffer {
        let mut buffer = Buffer::default();
        buffer.push(Bytes::from_static(bytes));
        buffer
    }

    #[test]
    fn the_latest_bytes_are_kept() {
        let kept = Kept::new(6);
        let [first, second, third] = [b"aaa", b"bbb", b"ccc"].map(|bytes| kept.keep(buffer(bytes)));
        assert!(kept.take(first).is_none());
        assert_eq!(kept.take(second).unwrap().len(), 3);
        assert!(kept.take(second).is_none());
        let large = kept.keep(buffer(b"ddddddd"));
        assert!(kept.take(third).is_none() && kept.take(large).is_none());
    }
}
