//! The content of an upload while it streams in: hashed once, kept in memory while small, staged in the blob store otherwise.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use zot_contract::{BoxError, OperationId, UploadId, Written};
use zot_oci::{Algorithm, Digest, Hasher};

use super::{INLINE_BYTES_MAX, hashing::Hashing};
use crate::{
    BlobKey, Error, Result,
    blobs::{BlobStore, Staged, Staging},
    metadata::rows::BlobRow,
    sessions::SessionRecord,
};

/// The content of an upload so far.
#[derive(Debug)]
pub(super) struct Content {
    hashing: Hashing,
    offset: u64,
    staging: Staging,
    /// Who wrote to it last.
    pub(super) written: Option<Written>,
    /// Whether the bytes may differ from those that were hashed, because a failed write could not be undone.
    damaged: bool,
    pub(super) bytes: Stored,
}

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Stored {
    Inline(BytesMut),
    Staged(Box<dyn Staged>),
    /// A blob's under this key, of which the rows could not be committed yet. Bytes that are sent once more are hashed only: they make the
    /// same blob, or none.
    Placed {
        key: BlobKey,
        row: BlobRow,
        /// What they were before, in a store where others may have to take it up as long as the rows are not there.
        staged: Option<Box<dyn Staged>>,
    },
    /// Of no use any more, to this upload.
    Lost,
}

impl Stored {
    /// Lets go of what the store has besides the blob, now that there are rows that speak of it.
    pub(super) fn finish(&mut self) {
        if let Self::Placed { staged: Some(staged), .. } = self {
            staged.finish();
        }
    }
}

/// What hashes an upload: where it is taken up without reading its bytes again, its state must be told.
fn hasher(algorithm: Algorithm, staging: Staging) -> Hasher {
    if staging.durable_when_flushed { Hasher::resumable(algorithm) } else { Hasher::one_of_many(algorithm) }
}

/// What to save of a hash: its state where it is taken up, and otherwise what tells whether the same bytes were hashed, on any processor.
fn hash_state(hasher: &Hasher, staging: Staging) -> Vec<u8> {
    if staging.durable_when_flushed { hasher.state() } else { hasher.clone().finish().value().to_vec() }
}

/// Why content was not taken in to its end.
pub(super) enum TakeError {
    /// The sender broke off. What arrived is part of the content.
    Body(BoxError),
    /// It could not be stored. The content is as it was before.
    Store(Error),
}

/// A point to go back to.
pub(super) struct Mark {
    hasher: Hasher,
    offset: u64,
}

impl Content {
    /// No content yet, of which `staging` says what the store does with it.
    pub(super) fn new(algorithm: Algorithm, staging: Staging) -> Self {
        let hashing = Hashing::new(hasher(algorithm, staging));
        Self { hashing, offset: 0, staging, written: None, damaged: false, bytes: Stored::Inline(BytesMut::new()) }
    }

    /// Takes up saved content. Unless the store promises that the bytes are what they were, they are hashed again and must come to the saved
    /// state: after a power cut they may be others.
    pub(super) async fn resume(upload: UploadId, saved: &SessionRecord, blobs: &dyn BlobStore) -> Result<Option<Self>> {
        let Ok(algorithm) = saved.algorithm.parse() else { return Ok(None) };
        let bytes = if saved.staged {
            let Some(staged) = blobs.resume(upload, saved.offset, &saved.stage_state).await? else {
                return Ok(None);
            };
            Stored::Staged(staged)
        } else {
            if saved.offset != saved.inline.len() as u64 {
                return Ok(None);
            }
            Stored::Inline(BytesMut::from(saved.inline.as_ref()))
        };
        let staging = blobs.staging();
        let trusted = saved.staged && staging.durable_when_flushed;
        let hasher = if trusted { Hasher::resume(algorithm, &saved.hash_state).ok() } else { Some(hasher(algorithm, staging)) };
        let Some(hasher) = hasher else { return Ok(None) };
        let operation = OperationId::from_bytes(&saved.operation).ok();
        let written = operation.map(|operation| Written { operation, from: saved.operation_from });
        let mut content = Self { hashing: Hashing::new(hasher), offset: saved.offset, staging, written, damaged: false, bytes };
        if !trusted {
            content.rehash(algorithm).await?;
        }
        Ok((hash_state(content.hashing.hasher(), staging) == saved.hash_state).then_some(content))
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether there is nothing of it, here or in the blob store.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.bytes, Stored::Inline(bytes) if bytes.is_empty())
    }

    /// Whether its bytes are a blob already of which the rows are missing.
    pub(super) fn is_placed(&self) -> bool {
        matches!(self.bytes, Stored::Placed { .. })
    }

    /// Whether it must not be used any more; what was saved of it is as good as it was.
    pub(super) fn is_damaged(&self) -> bool {
        self.damaged || matches!(self.bytes, Stored::Lost)
    }

    /// The present state, to go back to.
    pub(super) fn mark(&self) -> Mark {
        Mark { hasher: self.hashing.hasher().clone(), offset: self.offset }
    }

    /// What to save so that [`Content::resume`] can take it up; the caller fills in whose it is. To be asked for when all is with the store.
    pub(super) fn record(&self) -> SessionRecord {
        self.record_at(&self.mark())
    }

    /// The same of what it was at a mark, which is when everything was last with the store.
    pub(super) fn record_at(&self, mark: &Mark) -> SessionRecord {
        let (inline, staged) = match &self.bytes {
            Stored::Inline(bytes) => (Bytes::copy_from_slice(bytes.get(..mark.offset as usize).unwrap_or_default()), false),
            Stored::Staged(_) | Stored::Placed { .. } | Stored::Lost => (Bytes::new(), true),
        };
        let stage_state = self.stage_state();
        let algorithm = self.hashing.hasher().algorithm().to_string();
        let (operation, operation_from) =
            self.written.map_or_else(Default::default, |written| (Bytes::copy_from_slice(written.operation.as_bytes()), written.from));
        SessionRecord {
            algorithm,
            hash_state: hash_state(&mark.hasher, self.staging),
            offset: mark.offset,
            inline,
            staged,
            stage_state,
            operation,
            operation_from,
            ..Default::default()
        }
    }

    /// What the blob store needs to find the staged bytes again.
    pub(super) fn stage_state(&self) -> Bytes {
        match &self.bytes {
            Stored::Staged(staged) | Stored::Placed { staged: Some(staged), .. } => staged.state(),
            Stored::Inline(_) | Stored::Placed { staged: None, .. } | Stored::Lost => Bytes::new(),
        }
    }

    /// Hashes with another algorithm from now on. Bytes that are there already are read once more.
    pub(super) async fn use_algorithm(&mut self, algorithm: Algorithm) -> Result<()> {
        if self.hashing.hasher().algorithm() == algorithm {
            return Ok(());
        }
        self.rehash(algorithm).await
    }

    async fn rehash(&mut self, algorithm: Algorithm) -> Result<()> {
        let mut hasher = hasher(algorithm, self.staging);
        match &mut self.bytes {
            Stored::Inline(bytes) => hasher.update(bytes),
            Stored::Staged(staged) => {
                let mut pieces = staged.read_back().await?;
                while let Some(piece) = pieces.next().await {
                    hasher.update(&piece?);
                }
            }
            Stored::Placed { .. } | Stored::Lost => {
                return Err(Error::damaged("an upload", "its bytes are a blob of another digest already"));
            }
        }
        self.hashing = Hashing::new(hasher);
        Ok(())
    }

    /// The digest of everything so far.
    pub(super) fn digest(&self) -> Digest {
        self.hashing.hasher().clone().finish()
    }

    /// Drops what is with the blob store.
    pub(super) async fn discard(self) -> Result<()> {
        match self.bytes {
            Stored::Staged(mut staged) => staged.discard().await,
            Stored::Inline(_) | Stored::Placed { .. } | Stored::Lost => Ok(()),
        }
    }

    /// Appends a stream to its end. If it is not the `last`, or broke off, waits until all is with the store: what comes last is made a blob
    /// next, and acknowledged not before.
    pub(super) async fn take_in(
        &mut self,
        upload: UploadId,
        blobs: &dyn BlobStore,
        stream: impl Stream<Item = std::result::Result<Bytes, BoxError>> + Unpin,
        last: bool,
    ) -> std::result::Result<(), TakeError> {
        let mark = self.mark();
        let broken = match self.take_pieces(upload, blobs, stream, last).await {
            Ok(broken) => broken,
            Err(error) => {
                self.go_back(mark).await;
                return Err(TakeError::Store(error));
            }
        };
        broken.map_or(Ok(()), |error| Err(TakeError::Body(error)))
    }

    /// Returns why the stream broke off, if it did.
    async fn take_pieces(
        &mut self,
        upload: UploadId,
        blobs: &dyn BlobStore,
        mut stream: impl Stream<Item = std::result::Result<Bytes, BoxError>> + Unpin,
        last: bool,
    ) -> Result<Option<BoxError>> {
        let mut gathered = Gathered::default();
        let (mut broken, gathered_bytes) = (None, self.hashing.gathered_bytes(self.staging.gathered_bytes));
        while let Some(piece) = stream.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            };
            self.hashing.arrived(&piece);
            self.offset += piece.len() as u64;
            gathered.push(piece);
            if gathered.length >= gathered_bytes {
                self.store(upload, blobs, std::mem::take(&mut gathered)).await?;
            }
        }
        self.store(upload, blobs, gathered).await?;
        self.hashing.settle().await?;
        if let Stored::Staged(staged) = &mut self.bytes
            && (broken.is_some() || !last)
        {
            staged.flush().await?;
        }
        Ok(broken)
    }

    /// Hands gathered pieces to the store, and hashes them meanwhile.
    async fn store(&mut self, upload: UploadId, blobs: &dyn BlobStore, gathered: Gathered) -> Result<()> {
        if gathered.length == 0 {
            return Ok(());
        }
        self.hashing.gathered(&gathered.pieces, gathered.length).await?;
        match &mut self.bytes {
            Stored::Inline(bytes) if bytes.len() + gathered.length <= INLINE_BYTES_MAX => {
                gathered.pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
                Ok(())
            }
            Stored::Inline(bytes) => {
                let mut staged = blobs.stage(upload).await?;
                if !bytes.is_empty() {
                    // They are let go of when they are with the store: if it fails, there must be something to go back to.
                    staged.write(vec![bytes.clone().freeze()]).await?;
                    staged.flush().await?;
                }
                let written = staged.write(gathered.pieces).await;
                self.bytes = Stored::Staged(staged);
                written
            }
            Stored::Staged(staged) => staged.write(gathered.pieces).await,
            Stored::Placed { .. } | Stored::Lost => Ok(()),
        }
    }

    /// Undoes everything since `mark`.
    pub(super) async fn go_back(&mut self, mark: Mark) {
        self.hashing = Hashing::new(mark.hasher);
        self.offset = mark.offset;
        match &mut self.bytes {
            Stored::Inline(bytes) => bytes.truncate(mark.offset as usize),
            Stored::Staged(staged) => {
                if let Err(error) = staged.truncate(mark.offset).await {
                    self.damaged = true;
                    tracing::warn!(error = %crate::error::chain(&error), "could not undo a failed write to an upload");
                }
            }
            Stored::Placed { .. } | Stored::Lost => {}
        }
    }
}

/// Pieces that wait to be written together.
#[derive(Default)]
struct Gathered {
    pieces: Vec<Bytes>,
    length: usize,
}

impl Gathered {
    fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        self.pieces.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, stream};
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::blobs::MemoryBlobs;

    fn hashed_by(hasher: Hasher, blobs: &MemoryBlobs) -> Content {
        Content { hashing: Hashing::new(hasher), ..Content::new(Algorithm::Sha256, blobs.staging()) }
    }

    /// So many bytes in pieces that are not made of whole blocks.
    fn pieces(length: usize) -> Vec<std::result::Result<Bytes, BoxError>> {
        let bytes: Bytes = (0..length).map(|at| (at * 7 + at / 251 + length) as u8).collect();
        (0..length).step_by(70_001).map(|at| Ok(bytes.slice(at..length.min(at + 70_001)))).collect()
    }

    fn digest_of(pieces: &[std::result::Result<Bytes, BoxError>]) -> Digest {
        Digest::sha256(&pieces.iter().flatten().flatten().copied().collect::<Vec<u8>>())
    }

    #[tokio::test]
    async fn uploads_that_are_hashed_together_have_the_digests_of_their_bytes() {
        let blobs = &MemoryBlobs::default();
        let uploads = (0..20).map(|number| async move {
            let (mut content, pieces) = (hashed_by(Hasher::in_lanes(), blobs), pieces(number * 123_457));
            let digest = digest_of(&pieces);
            let taken = content.take_in(UploadId::random(), blobs, stream::iter(pieces), false).await;
            assert!(taken.is_ok() && content.digest() == digest, "an upload of {} bytes", content.offset());
        });
        futures::future::join_all(uploads.collect::<Vec<_>>()).await;
    }

    #[tokio::test]
    async fn an_upload_that_is_hashed_ahead_breaks_off_and_goes_back_to_where_it_was() {
        let (upload, blobs) = (UploadId::random(), MemoryBlobs::default());
        let mut content = hashed_by(Hasher::in_lanes(), &blobs);
        let (first, broken) = (pieces(1_200_000), || pieces(800_000).into_iter().chain([Err("broken off".into())]));
        let whole = digest_of(&pieces(1_200_000).into_iter().chain(broken()).collect::<Vec<_>>());
        assert!(content.take_in(upload, &blobs, stream::iter(first), false).await.is_ok());
        for _ in 0..2 {
            let mark = content.mark();
            let taken = content.take_in(upload, &blobs, stream::iter(broken()), false).await;
            assert!(matches!(taken, Err(TakeError::Body(_))));
            assert_eq!((content.offset(), content.digest()), (2_000_000, whole));
            content.go_back(mark).await;
            assert_eq!((content.offset(), content.digest()), (1_200_000, digest_of(&pieces(1_200_000))));
        }
    }

    #[tokio::test]
    async fn a_session_on_disk_does_not_depend_on_what_hashed_the_bytes() {
        let (upload, blobs) = (UploadId::random(), MemoryBlobs::default());
        for hasher in [Hasher::new(Algorithm::Sha256), Hasher::in_lanes()] {
            let mut content = hashed_by(hasher, &blobs);
            assert!(content.take_in(upload, &blobs, stream::iter(pieces(1000)), false).await.is_ok());
            let resumed = Content::resume(upload, &content.record(), &blobs).await.unwrap();
            assert_eq!(resumed.map(|resumed| resumed.digest()), Some(content.digest()));
        }
    }

    proptest! {
        #[test]
        fn a_damaged_session_is_taken_up_as_it_was_or_not_at_all(
            bytes in prop::collection::vec(any::<u8>(), 0..100), place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
        ) {
            let (upload, blobs) = (UploadId::random(), MemoryBlobs::default());
            let mut content = Content::new(Algorithm::Sha256, blobs.staging());
            prop_assert!(block_on(content.take_in(upload, &blobs, stream::iter([Ok(Bytes::from(bytes))]), false)).is_ok());
            let mut session = content.record().encode_to_vec();
            let place = place.index(session.len());
            session[place] = byte;
            session.truncate(if cut { place } else { session.len() });
            let resumed = SessionRecord::decode(session.as_slice()).map(|saved| block_on(Content::resume(upload, &saved, &blobs)).unwrap());
            if let Ok(Some(resumed)) = resumed {
                prop_assert_eq!((resumed.offset(), resumed.digest()), (content.offset(), content.digest()));
            }
        }
    }
}
