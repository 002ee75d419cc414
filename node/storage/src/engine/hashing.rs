//! Hashing of uploads, beside the writing of their bytes. Where a processor hashes several streams in little more time than one, threads do it that
//! take up what several uploads have gathered by then. Nobody waits for others to have something: the busier the threads, the more there is for one
//! go.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
    thread,
};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;
use zot_oci::{Hasher, STREAMS_TOGETHER};

use crate::{Error, Result};

/// Fewer bytes than this are hashed on the spot: a thread would be woken for about 0.2 ms of work.
const HANDED_OVER_BYTES_MIN: usize = 64 << 10;

/// Nothing is gathered beyond this to be handed over: it is a millisecond of work, and each upload holds it twice.
const HANDED_OVER_BYTES_ENOUGH: usize = 256 << 10;

/// The hash of an upload's bytes as they come in.
pub(super) struct Hashing {
    /// Of all that is settled.
    hasher: Hasher,
    /// Who hashes it, where it is not hashed on the spot.
    threads: Option<&'static HashingThreads>,
    line: Arc<Line>,
    /// The hasher after each batch that was handed over: the one at work, and the one behind it.
    ahead: VecDeque<oneshot::Receiver<Hasher>>,
}

impl Hashing {
    /// Goes on with a hasher.
    pub(super) fn new(hasher: Hasher) -> Self {
        static THREADS: LazyLock<Option<HashingThreads>> = LazyLock::new(|| {
            // The rest of a push takes longer than this.
            let half_of_processors = thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
            HashingThreads::start(half_of_processors, hash)
        });
        let threads = if hasher.goes_together() { THREADS.as_ref() } else { None };
        Self { hasher, threads, line: Arc::default(), ahead: VecDeque::new() }
    }

    /// How many of the `wanted` bytes to gather.
    pub(super) fn gathered_bytes(&self, wanted: usize) -> usize {
        if self.threads.is_some() { wanted.min(HANDED_OVER_BYTES_ENOUGH) } else { wanted }
    }

    /// Hashes a piece, unless that is for when it is gathered.
    pub(super) fn arrived(&mut self, piece: &[u8]) {
        if self.threads.is_none() {
            self.hasher.update(piece);
        }
    }

    /// Hashes gathered pieces if it was not done when they arrived, or hands them over for it, and waits for those that were handed over before.
    pub(super) async fn gathered(&mut self, pieces: &[Bytes], length: usize) -> Result<()> {
        let Some(threads) = self.threads else { return Ok(()) };
        if length < HANDED_OVER_BYTES_MIN {
            self.settle().await?;
            pieces.iter().for_each(|piece| self.hasher.update(piece));
            return Ok(());
        }
        let (done, hashed) = oneshot::channel();
        let begin = self.ahead.is_empty().then(|| self.hasher.clone());
        threads.hand_over(&self.line, begin, Batch { pieces: pieces.to_vec(), done });
        self.ahead.push_back(hashed);
        self.settle_but(1).await
    }

    /// Waits for what was handed over.
    pub(super) async fn settle(&mut self) -> Result<()> {
        self.settle_but(0).await
    }

    /// Waits for all batches that were handed over but so many.
    async fn settle_but(&mut self, count: usize) -> Result<()> {
        while self.ahead.len() > count
            && let Some(first) = self.ahead.front_mut()
        {
            let hashed = first.await;
            self.ahead.pop_front();
            self.hasher = hashed.map_err(|error| Error::Interrupted(error.into()))?;
        }
        Ok(())
    }

    /// The hasher of all that is settled.
    pub(super) fn hasher(&self) -> &Hasher {
        &self.hasher
    }
}

impl std::fmt::Debug for Hashing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hashing({})", self.hasher.algorithm())
    }
}

/// What an upload has handed over. A batch that comes while the one before is at work waits here, so that it is there when that is done: uploads
/// that went together go together again.
#[derive(Default)]
struct Line(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    /// After all that is done; absent while some is at work, and for good if that panicked.
    hasher: Option<Hasher>,
    batches: VecDeque<Batch>,
    /// Whether the threads know of it.
    queued: bool,
}

/// Pieces to be hashed.
struct Batch {
    pieces: Vec<Bytes>,
    done: oneshot::Sender<Hasher>,
}

/// A batch at work.
struct Work {
    line: Arc<Line>,
    hasher: Hasher,
    batch: Batch,
}

impl Line {
    /// Adds a batch, which is the first after a hasher, or goes behind those before. Returns whether the threads are to be told.
    fn add(&self, begin: Option<Hasher>, batch: Batch) -> bool {
        let mut waiting = self.0.lock();
        if begin.is_some() {
            waiting.hasher = begin;
        }
        waiting.batches.push_back(batch);
        !std::mem::replace(&mut waiting.queued, true)
    }

    /// Takes the next batch. Whoever waits for one that comes after a panic is told, because it is dropped.
    fn take(self: Arc<Self>) -> Option<Work> {
        let mut waiting = self.0.lock();
        let (Some(hasher), Some(batch)) = (waiting.hasher.take(), waiting.batches.pop_front()) else {
            *waiting = Waiting::default();
            return None;
        };
        drop(waiting);
        Some(Work { line: self, hasher, batch })
    }
}

impl Work {
    /// Tells whoever waits for it. Returns the line if there is more.
    fn finish(self) -> Option<Arc<Line>> {
        let mut waiting = self.line.0.lock();
        waiting.hasher = Some(self.hasher.clone());
        waiting.queued = !waiting.batches.is_empty();
        let more = waiting.queued;
        drop(waiting);
        // Nobody may want it any more.
        self.batch.done.send(self.hasher).ok();
        more.then_some(self.line)
    }
}

/// The threads that hash what goes together, for all uploads of the process. They end with it.
struct HashingThreads(Arc<Queue>);

/// The lines with a batch that waits, and none at work.
#[derive(Default)]
struct Queue {
    lines: Mutex<VecDeque<Arc<Line>>>,
    came: Condvar,
}

impl HashingThreads {
    /// Starts so many threads that do this with what was handed over. None, if there can be none.
    fn start(count: usize, hash: fn(&mut [Work])) -> Option<Self> {
        let queue = Arc::<Queue>::default();
        let mut started = 0;
        for _ in 0..count {
            let queue = Arc::clone(&queue);
            match thread::Builder::new().name("hashing".to_owned()).spawn(move || queue.work(hash)) {
                Ok(_) => started += 1,
                Err(error) => tracing::warn!(%error, "could not start a thread to hash uploads"),
            }
        }
        (started > 0).then_some(Self(queue))
    }

    /// Lets a batch be hashed, the first after a hasher or behind those of its line.
    fn hand_over(&self, line: &Arc<Line>, begin: Option<Hasher>, batch: Batch) {
        if line.add(begin, batch) {
            self.0.push([Arc::clone(line)]);
        }
    }
}

impl Queue {
    fn push(&self, lines: impl IntoIterator<Item = Arc<Line>>) {
        let mut waiting = self.lines.lock();
        for line in lines {
            waiting.push_back(line);
            self.came.notify_one();
        }
    }

    /// Waits for a line, and takes those that are there by then.
    fn next(&self) -> Vec<Arc<Line>> {
        let mut lines = self.lines.lock();
        self.came.wait_while(&mut lines, |lines| lines.is_empty());
        let count = lines.len().min(STREAMS_TOGETHER);
        lines.drain(..count).collect()
    }

    fn work(&self, hash: fn(&mut [Work])) -> ! {
        loop {
            let mut works: Vec<_> = self.next().into_iter().filter_map(Line::take).collect();
            if catch_unwind(AssertUnwindSafe(|| hash(&mut works))).is_ok() {
                self.push(works.into_iter().filter_map(Work::finish));
            } else {
                // Whoever waits for one of them, or for one behind it, is told, because they are dropped.
                for work in works {
                    *work.line.0.lock() = Waiting::default();
                }
            }
        }
    }
}

fn hash(works: &mut [Work]) {
    Hasher::update_all(works.iter_mut().map(|work| (&mut work.hasher, work.batch.pieces.as_slice())));
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, future::join_all};

    use super::*;

    /// A batch that is handed over.
    const BATCH: &[u8] = &[7; HANDED_OVER_BYTES_MIN];

    fn hashing(threads: &'static HashingThreads) -> Hashing {
        Hashing { threads: Some(threads), ..Hashing::new(Hasher::in_lanes()) }
    }

    fn threads(count: usize, hash: fn(&mut [Work])) -> &'static HashingThreads {
        Box::leak(Box::new(HashingThreads::start(count, hash).unwrap()))
    }

    async fn hash_once(hashing: &mut Hashing) -> Result<()> {
        hashing.gathered(&[Bytes::from_static(BATCH)], BATCH.len()).await
    }

    async fn hash_twice(hashing: &mut Hashing) -> Result<zot_oci::Digest> {
        hash_once(hashing).await?;
        hash_once(hashing).await?;
        hashing.settle().await?;
        Ok(hashing.hasher().clone().finish())
    }

    #[tokio::test]
    async fn whoever_goes_away_while_it_is_hashed_holds_up_nobody() {
        let expected = zot_oci::Digest::sha256(&BATCH.repeat(2));
        for count in [1, 3] {
            let threads = threads(count, hash);
            let mut all: Vec<Hashing> = (0..40).map(|_| hashing(threads)).collect();
            for hashing in &mut all {
                hash_once(hashing).await.unwrap();
            }
            drop(all);
            let mut others: Vec<Hashing> = (0..10).map(|_| hashing(threads)).collect();
            let digests = join_all(others.iter_mut().map(hash_twice)).await;
            assert!(digests.into_iter().all(|digest| digest.unwrap() == expected));
        }
    }

    #[tokio::test]
    async fn batches_of_all_lengths_are_hashed_in_their_order() {
        let threads = threads(2, hash);
        let content: Vec<u8> = (0..HANDED_OVER_BYTES_MIN * 9).map(|number| number as u8 ^ (number >> 8) as u8).collect();
        let mut hashing = hashing(threads);
        let mut rest = Bytes::from(content.clone());
        for length in [1, 5, 2, 3, 6].map(|parts| HANDED_OVER_BYTES_MIN * parts / 2 + parts) {
            let piece = rest.split_to(length.min(rest.len()));
            hashing.gathered(std::slice::from_ref(&piece), piece.len()).await.unwrap();
        }
        hashing.gathered(&[rest.clone()], rest.len()).await.unwrap();
        hashing.settle().await.unwrap();
        assert_eq!(hashing.hasher().clone().finish(), zot_oci::Digest::sha256(&content));
    }

    #[tokio::test]
    async fn uploads_that_waited_for_the_same_thread_go_together() {
        static LENGTHS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
        let threads = threads(1, |works| {
            LENGTHS.lock().push(works.len());
            hash(works);
        });
        let held = LENGTHS.lock();
        let mut uploads: Vec<Hashing> = (0..4).map(|_| hashing(threads)).collect();
        for (number, upload) in uploads.iter_mut().enumerate() {
            assert!(matches!(hash_once(upload).now_or_never(), Some(Ok(()))));
            // The first one is taken alone.
            while number == 0 && !threads.0.lines.lock().is_empty() {
                thread::yield_now();
            }
        }
        let mut second = Box::pin(join_all(uploads.iter_mut().map(hash_once)));
        assert!((&mut second).now_or_never().is_none());
        drop(held);
        assert!(second.await.into_iter().all(|hashed| hashed.is_ok()));
        assert!(join_all(uploads.iter_mut().map(Hashing::settle)).await.into_iter().all(|settled| settled.is_ok()));
        assert_eq!(*LENGTHS.lock(), [1, 4, 3]);
    }

    #[tokio::test]
    async fn whoever_is_in_a_batch_that_panicked_is_told_and_the_thread_goes_on() {
        let threads = threads(1, |works| {
            assert!(works.iter().all(|work| work.batch.pieces[0].len() == BATCH.len()), "a piece of another length");
            hash(works);
        });
        let mut panics = hashing(threads);
        panics.gathered(&[Bytes::from_static(BATCH).slice(1..), Bytes::from_static(b"1")], BATCH.len()).await.unwrap();
        assert!(matches!(hash_once(&mut panics).await, Err(Error::Interrupted(_))));
        assert!(matches!(panics.settle().await, Err(Error::Interrupted(_))));
        assert!(hash_twice(&mut hashing(threads)).await.is_ok());
    }
}
