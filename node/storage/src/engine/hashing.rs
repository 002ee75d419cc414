//! Hashing of uploads, beside the writing of their bytes. Where a processor hashes several streams in little more time than one, threads do it that
//! take up what several uploads have gathered by then. Nobody waits for others to have something: the busier the threads, the more there is for one
//! go.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock, mpsc},
    thread,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use zot_oci::{Hasher, STREAMS_TOGETHER};

use crate::{Error, Result};

/// Fewer bytes than this are hashed on the spot: a thread would be woken for about 0.2 ms of work.
const HANDED_OVER_BYTES_MIN: usize = 64 << 10;

/// The hash of an upload's bytes as they come in.
pub(super) struct Hashing {
    hasher: Hasher,
    /// Who hashes it, where it is not hashed on the spot.
    threads: Option<&'static HashingThreads>,
    /// The same with what was gathered last, when it is done.
    ahead: Option<oneshot::Receiver<Hasher>>,
}

impl Hashing {
    /// Goes on with a hasher.
    pub(super) fn new(hasher: Hasher) -> Self {
        static THREADS: LazyLock<HashingThreads> = LazyLock::new(|| {
            // The rest of a push takes longer than this.
            let half_of_processors = thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
            HashingThreads::start(half_of_processors, hash)
        });
        let threads = hasher.goes_together().then(|| &*THREADS);
        Self { hasher, threads, ahead: None }
    }

    /// Hashes a piece, unless that is for when it is gathered.
    pub(super) fn arrived(&mut self, piece: &[u8]) {
        if self.threads.is_none() {
            self.hasher.update(piece);
        }
    }

    /// Hashes gathered pieces if it was not done when they arrived, or hands them over for it. One upload has one batch at work at a time.
    pub(super) async fn gathered(&mut self, pieces: &[Bytes], length: usize) -> Result<()> {
        let Some(threads) = self.threads else { return Ok(()) };
        self.settle().await?;
        if length < HANDED_OVER_BYTES_MIN {
            pieces.iter().for_each(|piece| self.hasher.update(piece));
        } else {
            self.ahead = Some(threads.hash(self.hasher.clone(), pieces.to_vec()));
        }
        Ok(())
    }

    /// Waits for what was handed over.
    pub(super) async fn settle(&mut self) -> Result<()> {
        if let Some(ahead) = self.ahead.take() {
            self.hasher = ahead.await.map_err(|error| Error::Interrupted(error.into()))?;
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

/// The threads that hash what goes together, for all uploads of the process. They end when nobody can hand over anything any more.
struct HashingThreads {
    /// Of one batch of each upload at most.
    work: mpsc::Sender<Work>,
}

/// Pieces to be hashed.
struct Work {
    hasher: Hasher,
    pieces: Vec<Bytes>,
    done: oneshot::Sender<Hasher>,
}

impl HashingThreads {
    /// Starts so many threads that do this with what was handed over.
    fn start(count: usize, hash: fn(Vec<Work>)) -> Self {
        let (work, waiting) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..count {
            let waiting = waiting.clone();
            let run = move || {
                while let Some(batch) = next_batch(&waiting) {
                    // Whoever waits for one that panicked is told, because it is dropped.
                    catch_unwind(AssertUnwindSafe(|| hash(batch))).ok();
                }
            };
            if let Err(error) = thread::Builder::new().name("hashing".to_owned()).spawn(run) {
                tracing::warn!(%error, "could not start a thread to hash uploads");
            }
        }
        Self { work }
    }

    /// Hashes pieces, on the spot if there is no thread.
    fn hash(&self, hasher: Hasher, pieces: Vec<Bytes>) -> oneshot::Receiver<Hasher> {
        let (done, hashed) = oneshot::channel();
        if let Err(mpsc::SendError(work)) = self.work.send(Work { hasher, pieces, done }) {
            hash(vec![work]);
        }
        hashed
    }
}

/// Waits for work, and takes what else is there by then.
fn next_batch(waiting: &Mutex<mpsc::Receiver<Work>>) -> Option<Vec<Work>> {
    let waiting = waiting.lock();
    let first = waiting.recv().ok()?;
    Some(std::iter::once(first).chain(waiting.try_iter()).take(STREAMS_TOGETHER).collect())
}

fn hash(mut batch: Vec<Work>) {
    Hasher::update_all(batch.iter_mut().map(|work| (&mut work.hasher, work.pieces.as_slice())));
    for work in batch {
        // Nobody may want it any more.
        work.done.send(work.hasher).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch that is handed over.
    const BATCH: &[u8] = &[7; HANDED_OVER_BYTES_MIN];

    fn hashing(threads: &'static HashingThreads) -> Hashing {
        Hashing { hasher: Hasher::in_lanes(), threads: Some(threads), ahead: None }
    }

    fn threads(count: usize, hash: fn(Vec<Work>)) -> &'static HashingThreads {
        Box::leak(Box::new(HashingThreads::start(count, hash)))
    }

    async fn hash_twice(hashing: &mut Hashing) -> Result<zot_oci::Digest> {
        for _ in 0..2 {
            hashing.gathered(&[Bytes::from_static(BATCH)], BATCH.len()).await?;
        }
        hashing.settle().await?;
        Ok(hashing.hasher().clone().finish())
    }

    #[tokio::test]
    async fn whoever_goes_away_while_it_is_hashed_holds_up_nobody() {
        let expected = zot_oci::Digest::sha256(&BATCH.repeat(2));
        for count in [0, 1, 3] {
            let threads = threads(count, hash);
            let mut all: Vec<Hashing> = (0..40).map(|_| hashing(threads)).collect();
            for hashing in &mut all {
                hashing.gathered(&[Bytes::from_static(BATCH)], BATCH.len()).await.unwrap();
            }
            drop(all);
            let mut others: Vec<Hashing> = (0..10).map(|_| hashing(threads)).collect();
            let digests = futures::future::join_all(others.iter_mut().map(hash_twice)).await;
            assert!(digests.into_iter().all(|digest| digest.unwrap() == expected));
        }
    }

    #[tokio::test]
    async fn whoever_is_in_a_batch_that_panicked_is_told_and_the_thread_goes_on() {
        let threads = threads(1, |batch| {
            assert!(batch.iter().all(|work| work.pieces[0].len() == BATCH.len()), "a piece of another length");
            hash(batch);
        });
        let mut panics = hashing(threads);
        panics.gathered(&[Bytes::from_static(BATCH).slice(1..), Bytes::from_static(b"1")], BATCH.len()).await.unwrap();
        assert!(matches!(panics.settle().await, Err(Error::Interrupted(_))));
        assert!(hash_twice(&mut hashing(threads)).await.is_ok());
    }
}
