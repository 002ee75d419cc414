//! An upload in progress: full parts go to a multipart upload, several at a time; the rest waits for more, and is made durable by a flush.
//!
//! # Why two writers never make one blob
//! Two processes may have the same upload for a while, one of them without knowing that it lost it. Nothing that one of them writes can become
//! part of what the other commits:
//! - Tails are objects of names that are written once. A state names those that belong to it.
//! - Parts share a multipart upload, and a part's number is its position, so that one may replace the other's part. But every part is known by
//!   the ETag that S3 gave to these bytes, a commit names the ETag of each part, and S3 refuses to complete if a part has another one. So the
//!   commit fails and the client begins anew; it does not succeed with the other's bytes.
//! - What is completed has a key that nobody completes a second time: each multipart upload has a key of its own. Where the answer to a
//!   completion was lost, or whoever asked for it died, the parts are gone at the next try: then the object at the key is read and must come to the
//!   blob's digest.
//! - Content that fits into one part is an object of its own, written once. If an upload's bytes were acknowledged when that was all of them, the
//!   object that made them durable is the blob: but only for the process that wrote it, which is therefore free to remove it as well. For any
//!   other process it is bytes to go on with, and not to be removed.
//!
//! Nothing here removes what another process put at a place, nor what was completed from parts: somebody's rows may speak of it.

mod completed;
mod parts;
mod state;
mod tail;

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt, future::try_join_all, stream};
use zot_contract::UploadId;
use zot_storage::{
    BlobKey, Error, Result,
    blobs::{PIECE_BYTES, Pieces, Staged},
};

use crate::{
    bucket::{Multipart, is_gone},
    keys,
    store::Store,
};
use parts::Parts;
pub(crate) use state::State;
use tail::Tail;

/// How many flushes can be gone back to: the last one, and the one before it in case that what the last one stored cannot be noted.
const MARKS_MAX: usize = 2;

/// The bytes of an upload.
#[derive(Debug)]
pub(crate) struct S3Staged {
    store: Arc<Store>,
    upload: UploadId,
    part_bytes: u64,
    /// An object that holds everything, if it was read back; the parts are gone then.
    completed: u64,
    /// Where the parts go: the place, and the multipart upload.
    multipart: Option<(String, Multipart)>,
    parts: Parts,
    tail: Tail,
    marks: VecDeque<State>,
    /// Where the blob is that it was made, until it is finished.
    committed: Option<String>,
    /// Whether bytes are missing since a write that failed.
    failed: bool,
}

impl S3Staged {
    pub(crate) fn new(store: Arc<Store>, upload: UploadId) -> Self {
        let state = State { part_bytes: store.part_bytes, ..State::default() };
        Self::of(store, upload, state)
    }

    /// Takes up the first `size` bytes of what a state speaks of, if there are as many.
    pub(crate) async fn resume(store: Arc<Store>, upload: UploadId, size: u64, state: State) -> Result<Option<Self>> {
        if size > state.size() {
            return Ok(None);
        }
        let mut staged = Self::of(store, upload, state);
        match staged.truncate(size).await {
            Ok(()) => Ok(Some(staged)),
            Err(Error::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of(store: Arc<Store>, upload: UploadId, state: State) -> Self {
        let key = |place: &str| store.keys.of(place);
        let multipart =
            (!state.place.is_empty()).then(|| (state.place.clone(), Multipart { key: key(&state.place), id: state.multipart.clone() }));
        let parts = Parts::new(state.part_bytes, state.etags.clone());
        let tail = Tail::new(store.clone(), upload, state.sent() == 0, state.fragments.clone());
        let (part_bytes, completed, marks) = (state.part_bytes, state.completed, VecDeque::from([state]));
        Self { store, upload, part_bytes, completed, multipart, parts, tail, marks, committed: None, failed: false }
    }

    /// What was flushed.
    fn now(&self) -> State {
        let (place, multipart) = self.multipart.clone().map(|(place, multipart)| (place, multipart.id)).unwrap_or_default();
        let (etags, fragments) = (self.parts.etags(), self.tail.fragments().to_vec());
        State { part_bytes: self.part_bytes, place, multipart, etags, fragments, completed: self.completed }
    }

    /// The number of bytes before the tail.
    fn sent(&self) -> u64 {
        if self.completed > 0 { self.completed } else { self.parts.bytes() }
    }

    fn size(&self) -> u64 {
        self.sent() + self.tail.len()
    }

    /// Notes the outcome of a step that may leave bytes missing if it fails. Parts that are gone cannot be gone back to.
    fn note<T>(&mut self, done: Result<T>) -> Result<T> {
        self.failed |= done.is_err();
        if done.as_ref().is_err_and(is_gone) {
            self.marks.clear();
        }
        done
    }

    fn whole(&self) -> Result<()> {
        let lost = || Error::remote(format!("continue upload {}", self.upload), "an earlier write to it failed");
        if self.failed { Err(lost()) } else { Ok(()) }
    }

    async fn append(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        for mut piece in pieces {
            while !piece.is_empty() {
                // A part is sent when more comes: what fits into one is no multipart upload.
                if self.tail.len() >= self.parts.next_bytes() {
                    self.send_part().await?;
                }
                let room = self.parts.next_bytes() - self.tail.len();
                let length = piece.len().min(usize::try_from(room).unwrap_or(usize::MAX));
                self.tail.push(piece.split_to(length)).await?;
            }
        }
        Ok(())
    }

    /// Sends the tail as a part.
    async fn send_part(&mut self) -> Result<()> {
        self.tail.load().await?;
        let to = self.multipart().await?;
        let (body, share, fragments) = self.tail.take();
        self.parts.send(&self.store, to, body, share).await?;
        self.sweep(fragments.into_iter().map(|fragment| fragment.name));
        Ok(())
    }

    async fn multipart(&mut self) -> Result<Multipart> {
        if let Some((_, multipart)) = &self.multipart {
            return Ok(multipart.clone());
        }
        let place = keys::place(self.upload);
        let multipart = self.store.bucket.create_multipart(self.store.keys.of(&place)).await?;
        self.multipart = Some((place, multipart.clone()));
        Ok(multipart)
    }

    /// Removes objects that no mark needs.
    fn sweep(&self, names: impl Iterator<Item = String>) {
        let needed = |name: &String| {
            let marked = self.marks.iter().flat_map(|mark| &mark.fragments);
            marked.chain(self.tail.fragments()).any(|fragment| fragment.name == *name)
        };
        self.store.sweep(names.filter(|name| self.tail.is_ours(name) && !needed(name)).collect());
    }

    fn mark(&mut self) {
        self.marks.push_back(self.now());
        while self.marks.len() > MARKS_MAX {
            let Some(oldest) = self.marks.pop_front() else { return };
            self.sweep(oldest.fragments.into_iter().map(|fragment| fragment.name));
        }
    }

    /// Makes the tail, which is everything, an object. Returns its place.
    async fn complete_small(&mut self) -> Result<String> {
        if let Some(place) = self.tail.whole() {
            return Ok(place.to_owned());
        }
        let place = keys::place(self.upload);
        self.tail.load().await?;
        self.store.bucket.put(&self.store.keys.of(&place), self.tail.bytes()).await?;
        Ok(place)
    }

    /// Goes on without parts that no mark speaks of, if their completion failed: it may be done all the same, and then nothing can be added.
    fn leave_unmarked(&mut self) {
        if self.marks.back().is_none_or(|mark| mark.place.is_empty())
            && let Some((_, multipart)) = self.multipart.take()
        {
            // Parts that are on their way would outlive the rest.
            self.parts = Parts::new(self.part_bytes, Vec::new());
            self.store.abort(multipart);
        }
    }

    /// The objects that hold something of it, but for parts and what they were completed to.
    fn objects(&self) -> BTreeSet<String> {
        let marked = self.marks.iter().flat_map(|mark| &mark.fragments);
        marked.chain(self.tail.fragments()).map(|fragment| fragment.name.clone()).collect()
    }

    /// The objects that are of no use any more once it has ended, and may be removed by this process.
    fn left_over(&self) -> impl Iterator<Item = String> {
        let mut objects = self.objects();
        objects.extend(self.tail.wholes().iter().map(|fragment| fragment.name.clone()));
        objects.into_iter().filter(|name| self.tail.is_ours(name))
    }
}

#[async_trait::async_trait]
impl Staged for S3Staged {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        self.whole()?;
        let opened = self.reopen().await;
        self.note(opened)?;
        let written = self.append(pieces).await;
        self.note(written)
    }

    async fn flush(&mut self) -> Result<()> {
        self.whole()?;
        let (sent, saved) = futures::join!(self.parts.settle(), self.tail.save());
        self.note(sent.and(saved))?;
        self.tail.rest();
        self.mark();
        Ok(())
    }

    /// Goes back within the tail, or to one of the last flushes: parts that were sent cannot be read back.
    async fn truncate(&mut self, size: u64) -> Result<()> {
        if !self.failed && self.sent() <= size && size <= self.size() {
            self.tail.truncate(size - self.sent());
            return Ok(());
        }
        let Some(at) = self.marks.iter().rposition(|mark| mark.sent() <= size && size <= mark.size()) else {
            let reason = format!("it cannot go back to its first {size} bytes");
            return Err(Error::damaged(format!("upload {}", self.upload), reason));
        };
        self.marks.truncate(at + 1);
        let state = self.marks[at].clone();
        let (marks, multipart) = (std::mem::take(&mut self.marks), self.multipart.take());
        let mut former = std::mem::replace(self, Self { marks, ..Self::of(self.store.clone(), self.upload, state) });
        self.tail.inherit(&mut former.tail);
        self.tail.truncate(size - self.sent());
        // One that was begun since serves as well.
        self.multipart = self.multipart.take().or(multipart);
        Ok(())
    }

    async fn read_back(&mut self) -> Result<Pieces> {
        self.whole()?;
        if self.completed == 0 && self.parts.is_empty() {
            self.tail.load().await?;
            return Ok(cut(self.tail.bytes().pieces().collect()));
        }
        if self.completed == 0 {
            let size = self.size();
            let completed = self.complete().await;
            self.note(completed)?;
            (self.completed, self.parts) = (size, Parts::new(self.part_bytes, Vec::new()));
            // Its parts cannot be gone back to any more.
            let gone = std::mem::take(&mut self.marks);
            self.mark();
            self.sweep(gone.into_iter().flat_map(|mark| mark.fragments).map(|fragment| fragment.name));
        }
        let place = self.multipart.as_ref().map(|(place, _)| place.clone()).unwrap_or_default();
        self.object(&place, self.completed).await
    }

    fn state(&self) -> Bytes {
        self.marks.back().map(State::write).unwrap_or_default()
    }

    async fn commit(&mut self, key: &BlobKey) -> Result<String> {
        self.whole()?;
        let place = if self.completed > 0 {
            self.multipart.take().map(|(place, _)| place).unwrap_or_default()
        } else if self.parts.is_empty() {
            self.complete_small().await?
        } else {
            let completed = self.complete_as(key.digest()).await;
            match &completed {
                Ok(_) => {}
                Err(Error::Unavailable { .. }) => self.leave_unmarked(),
                Err(_) => self.marks.clear(),
            }
            self.note(completed)?
        };
        self.tail.forget();
        self.committed = Some(place.clone());
        Ok(place)
    }

    fn finish(&mut self) {
        let Some(place) = self.committed.take() else { return };
        self.store.sweep(self.left_over().filter(|name| *name != place).collect());
        if let Some((_, multipart)) = self.multipart.take_if(|(other, _)| *other != place) {
            self.store.abort(multipart);
        }
    }

    async fn discard(&mut self) -> Result<()> {
        // Parts that are on their way would outlive the rest.
        self.parts = Parts::new(self.part_bytes, Vec::new());
        let Store { bucket, keys, .. } = self.store.as_ref();
        if let Some((_, multipart)) = self.multipart.take_if(|_| self.completed == 0) {
            bucket.abort_multipart(&multipart).await?;
        }
        let names: Vec<String> = self.left_over().map(|name| keys.of(&name)).collect();
        try_join_all(names.iter().map(|name| bucket.delete(name))).await.map(drop)
    }
}

/// Bytes at hand, in pieces of the size that readers expect at most.
fn cut(pieces: Vec<Bytes>) -> Pieces {
    let small = pieces.into_iter().flat_map(|mut piece| {
        std::iter::from_fn(move || {
            let length = piece.len().min(PIECE_BYTES);
            (length > 0).then(|| Ok(piece.split_to(length)))
        })
    });
    stream::iter(small).boxed()
}
