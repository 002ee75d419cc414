//! What becomes of an upload when its stores fail in the middle of a request.

mod closing;
mod crowded;
mod finishing;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use zot_contract::{Blobs, Chunk, Context, Error, UploadId, Uploads};
use zot_oci::{Algorithm, ByteRange, Digest, RepositoryName};

use super::{Engine, INLINE_BYTES_MAX};
use crate::{
    BlobAddress, BlobKey, Result,
    blobs::{BlobStore, MemoryBlobs, Opened, Pieces, Staged, Staging},
    metadata::{MemoryMetadata, Metadata, Outcome},
    sessions::{MemorySessions, SessionRecord, Sessions},
};

/// Says whether stores fail.
type Switch = Arc<AtomicBool>;

fn refuse(switch: &Switch) -> Result<()> {
    if switch.load(Ordering::Acquire) { Err(crate::Error::metadata("save")("the disk is full")) } else { Ok(()) }
}

#[derive(Debug, Default)]
struct FailingSessions {
    sessions: MemorySessions,
    fails: Switch,
}

#[async_trait::async_trait]
impl Sessions for FailingSessions {
    async fn save(&self, upload: UploadId, session: &SessionRecord, previous: Option<u64>) -> Result<Outcome> {
        refuse(&self.fails)?;
        self.sessions.save(upload, session, previous).await
    }

    async fn load(&self, upload: UploadId) -> Result<Option<SessionRecord>> {
        self.sessions.load(upload).await
    }

    async fn remove(&self, upload: UploadId) -> Result<()> {
        self.sessions.remove(upload).await
    }

    async fn list(&self) -> Result<Vec<(UploadId, SystemTime)>> {
        self.sessions.list().await
    }

    fn shared(&self) -> bool {
        self.sessions.shared()
    }
}

/// How writing fails.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The bytes are taken in before it fails, and cannot be taken back.
    #[default]
    Late,
    /// No byte is taken in.
    Early,
}

#[derive(Debug, Default)]
struct FailingBlobs {
    blobs: MemoryBlobs,
    failure: Failure,
    fails: Switch,
    unreadable: Switch,
    /// Whether bytes cannot become a blob.
    refuses_commits: Switch,
}

#[derive(Debug)]
struct FailingStaged {
    staged: Box<dyn Staged>,
    failure: Failure,
    fails: Switch,
    unreadable: Switch,
    refuses_commits: Switch,
    /// What a write in the background came to.
    written: Result<()>,
}

impl FailingBlobs {
    fn failing(&self, staged: Box<dyn Staged>) -> Box<dyn Staged> {
        Box::new(FailingStaged {
            staged,
            failure: self.failure,
            fails: self.fails.clone(),
            unreadable: self.unreadable.clone(),
            refuses_commits: self.refuses_commits.clone(),
            written: Ok(()),
        })
    }
}

#[async_trait::async_trait]
impl BlobStore for FailingBlobs {
    fn staging(&self) -> Staging {
        self.blobs.staging()
    }

    async fn stage(&self, upload: UploadId) -> Result<Box<dyn Staged>> {
        Ok(self.failing(self.blobs.stage(upload).await?))
    }

    async fn resume(&self, upload: UploadId, size: u64, state: &[u8]) -> Result<Option<Box<dyn Staged>>> {
        Ok(self.blobs.resume(upload, size, state).await?.map(|staged| self.failing(staged)))
    }

    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()> {
        self.blobs.put(key, bytes).await
    }

    async fn read(&self, at: &BlobAddress, size: u64, range: ByteRange) -> Result<Opened> {
        self.blobs.read(at, size, range).await
    }

    async fn size(&self, at: &BlobAddress) -> Result<Option<u64>> {
        self.blobs.size(at).await
    }

    async fn delete(&self, at: &BlobAddress) -> Result<()> {
        self.blobs.delete(at).await
    }

    async fn staged(&self) -> Result<Vec<UploadId>> {
        self.blobs.staged().await
    }

    async fn discard(&self, upload: UploadId, state: &[u8]) -> Result<Vec<String>> {
        self.blobs.discard(upload, state).await
    }
}

#[async_trait::async_trait]
impl Staged for FailingStaged {
    /// Succeeds at first, as a write does that goes on in the background.
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        self.flush().await?;
        self.written = refuse(&self.fails);
        if self.written.is_ok() || self.failure == Failure::Late {
            self.staged.write(pieces).await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        std::mem::replace(&mut self.written, Ok(()))
    }

    async fn truncate(&mut self, size: u64) -> Result<()> {
        self.written = Ok(());
        if self.failure == Failure::Late {
            refuse(&self.fails)?;
        }
        self.staged.truncate(size).await
    }

    async fn read_back(&mut self) -> Result<Pieces> {
        refuse(&self.unreadable)?;
        self.staged.read_back().await
    }

    fn state(&self) -> Bytes {
        self.staged.state()
    }

    async fn commit(&mut self, key: &BlobKey) -> Result<String> {
        refuse(&self.refuses_commits)?;
        self.staged.commit(key).await
    }

    fn finish(&mut self) {
        self.staged.finish();
    }

    async fn discard(&mut self) -> Result<()> {
        self.staged.discard().await
    }
}

fn chunk(at: usize, bytes: &[u8]) -> Chunk {
    let piece = Bytes::copy_from_slice(bytes);
    Chunk { at: Some(at as u64), length: Some(bytes.len() as u64), stream: stream::iter([Ok(piece)]).boxed() }
}

/// Uploads content in parts of these lengths; the stores fail at the second, which is then sent again, and again while they still fail.
async fn an_upload_goes_on(engine: &Engine, fails: &Switch, [first, second, last]: [usize; 3]) {
    let (cx, name) = (Context::internal(), "a".parse::<RepositoryName>().unwrap());
    let content: Vec<u8> = (0..first + second + last).map(|at| (at % 251) as u8 + 1).collect();
    let upload = engine.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
    engine.append_upload(&cx, &name, upload, chunk(0, &content[..first])).await.unwrap();

    let failing = &content[first..first + second];
    fails.store(true, Ordering::Release);
    for _ in 0..2 {
        let refused = engine.append_upload(&cx, &name, upload, chunk(first, failing)).await;
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
        assert_eq!(engine.upload_status(&cx, &name, upload).await.unwrap().offset, first as u64);
    }
    fails.store(false, Ordering::Release);

    engine.append_upload(&cx, &name, upload, chunk(first, failing)).await.unwrap();
    let digest = Digest::sha256(&content);
    engine.finish_upload(&cx, &name, upload, chunk(first + second, &content[first + second..]), &digest).await.unwrap();
    let pieces: Vec<Bytes> = engine.read_blob(&cx, &name, &digest, None).await.unwrap().in_memory().try_collect().await.unwrap();
    assert!(pieces.concat() == content, "the blob is not what was sent");
}

const SMALL: usize = 100;
const LARGE: usize = 2 * INLINE_BYTES_MAX;

#[tokio::test]
async fn bytes_whose_session_could_not_be_saved_can_be_sent_again() {
    for lengths in [[SMALL; 3], [SMALL, LARGE, SMALL], [LARGE; 3]] {
        let sessions = Arc::new(FailingSessions::default());
        let fails = sessions.fails.clone();
        let engine = Engine::new(Arc::<MemoryMetadata>::default(), Arc::<MemoryBlobs>::default(), sessions, true);
        an_upload_goes_on(&engine, &fails, lengths).await;
    }
}

#[tokio::test]
async fn bytes_of_a_write_that_failed_are_not_part_of_the_blob_and_those_before_are() {
    for failure in [Failure::Late, Failure::Early] {
        for lengths in [[SMALL, LARGE, SMALL], [SMALL, 1 << 20, SMALL], [LARGE, LARGE, SMALL], [LARGE, 1 << 20, LARGE]] {
            let blobs = Arc::new(FailingBlobs { failure, ..FailingBlobs::default() });
            let fails = blobs.fails.clone();
            let engine = Engine::new(Arc::<MemoryMetadata>::default(), blobs, Arc::<MemorySessions>::default(), true);
            an_upload_goes_on(&engine, &fails, lengths).await;
        }
    }
}

#[tokio::test]
async fn bytes_that_are_durable_when_flushed_are_not_read_again_when_an_upload_is_taken_up() {
    for remote in [true, false] {
        let blobs = if remote { MemoryBlobs::remote() } else { MemoryBlobs::default() };
        let blobs = Arc::new(FailingBlobs { blobs, ..FailingBlobs::default() });
        let (metadata, sessions) = (Arc::<MemoryMetadata>::default(), Arc::new(MemorySessions::shared()));
        let [first, second] = [(); 2].map(|()| Engine::new(metadata.clone(), blobs.clone(), sessions.clone(), true));
        let (cx, name) = (Context::internal(), "a".parse::<RepositoryName>().unwrap());
        let upload = first.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
        first.append_upload(&cx, &name, upload, chunk(0, &[7; LARGE])).await.unwrap();
        blobs.unreadable.store(true, Ordering::Release);
        assert_eq!(second.append_upload(&cx, &name, upload, chunk(LARGE, b"x")).await.is_ok(), remote);
    }
}
