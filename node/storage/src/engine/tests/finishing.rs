//! A finish that was refused, and is tried again.

use super::*;
use crate::metadata::{Cursor, Key, Kind, Row, Scan, Transaction};

#[derive(Debug, Default)]
pub(super) struct FailingMetadata {
    pub(super) metadata: MemoryMetadata,
    pub(super) fails: Switch,
    /// Whether it neither scans nor closes, ever.
    pub(super) hangs: bool,
}

impl FailingMetadata {
    async fn may_hang(&self) {
        if self.hangs {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait::async_trait]
impl Metadata for FailingMetadata {
    async fn get(&self, key: &Key) -> Result<Option<Row>> {
        self.metadata.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Row>>> {
        self.metadata.get_many(keys).await
    }

    async fn scan(&self, scan: &Scan, limit: usize) -> Result<Vec<(Key, Row)>> {
        self.may_hang().await;
        self.metadata.scan(scan, limit).await
    }

    async fn walk(&self, kind: Kind, after: Option<&Cursor>) -> Result<(Vec<(Key, Row)>, Option<Cursor>)> {
        self.metadata.walk(kind, after).await
    }

    fn changes_max(&self) -> usize {
        self.metadata.changes_max()
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome> {
        refuse(&self.fails)?;
        self.metadata.commit(transaction).await
    }

    async fn close(&self) -> Result<()> {
        self.may_hang().await;
        self.metadata.close().await
    }
}

/// Says whether rows are refused, and bytes at their end.
#[derive(Default)]
struct Refuses {
    rows: Switch,
    commits: Switch,
}

impl Refuses {
    fn engine(&self, blobs: MemoryBlobs, sessions: MemorySessions, dedupe: bool) -> Engine {
        let metadata = FailingMetadata { fails: self.rows.clone(), ..FailingMetadata::default() };
        let blobs = FailingBlobs { blobs, refuses_commits: self.commits.clone(), ..FailingBlobs::default() };
        Engine::new(Arc::new(metadata), Arc::new(blobs), Arc::new(sessions), dedupe)
    }
}

/// Finishes an upload with a last chunk while it is refused, several times, and then while it is not.
async fn finishes_at_last(engine: &Engine, refuses: &Switch, [first, last]: [usize; 2]) {
    let (cx, name) = (Context::internal(), "a".parse::<RepositoryName>().unwrap());
    let content: Vec<u8> = (0..first + last).map(|at| (at % 251) as u8 + 1).collect();
    let digest = Digest::sha256(&content);
    let upload = engine.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
    if first > 0 {
        engine.append_upload(&cx, &name, upload, chunk(0, &content[..first])).await.unwrap();
    }
    refuses.store(true, Ordering::Release);
    for _ in 0..2 {
        let refused = engine.finish_upload(&cx, &name, upload, chunk(first, &content[first..]), &digest).await;
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
        assert_eq!(engine.upload_status(&cx, &name, upload).await.unwrap().offset, first as u64);
    }
    refuses.store(false, Ordering::Release);
    engine.finish_upload(&cx, &name, upload, chunk(first, &content[first..]), &digest).await.unwrap();
    let pieces: Vec<Bytes> = engine.read_blob(&cx, &name, &digest, None).await.unwrap().in_memory().try_collect().await.unwrap();
    assert!(pieces.concat() == content, "the blob is not what was sent");
    assert!(matches!(engine.upload_status(&cx, &name, upload).await, Err(Error::UploadUnknown { .. })));
    assert_eq!(engine.blobs.staged().await.unwrap(), []);
    assert_eq!(engine.sessions.list().await.unwrap(), []);
}

const LENGTHS: [[usize; 2]; 6] = [[0, SMALL], [SMALL, 0], [SMALL, SMALL], [0, LARGE], [LARGE, SMALL], [LARGE, LARGE]];

#[tokio::test]
async fn a_finish_whose_rows_were_refused_succeeds_later() {
    for lengths in LENGTHS {
        for (blobs, sessions) in
            [(MemoryBlobs::default as fn() -> _, MemorySessions::default as fn() -> _), (MemoryBlobs::remote, MemorySessions::shared)]
        {
            for dedupe in [true, false] {
                let refuses = Refuses::default();
                let engine = refuses.engine(blobs(), sessions(), dedupe);
                finishes_at_last(&engine, &refuses.rows, lengths).await;
            }
        }
    }
}

#[tokio::test]
async fn a_finish_whose_bytes_found_no_place_succeeds_later() {
    for lengths in [[0, LARGE], [LARGE, SMALL], [LARGE, 0]] {
        let refuses = Refuses::default();
        let engine = refuses.engine(MemoryBlobs::default(), MemorySessions::default(), true);
        finishes_at_last(&engine, &refuses.commits, lengths).await;
    }
}

/// Its bytes are a blob of the first digest already.
#[tokio::test]
async fn an_upload_does_not_become_a_blob_of_another_digest_after_a_refused_finish() {
    let refuses = Refuses::default();
    let engine = refuses.engine(MemoryBlobs::default(), MemorySessions::default(), true);
    let (cx, name) = (Context::internal(), "a".parse::<RepositoryName>().unwrap());
    let upload = engine.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
    let [first, second] = [[1; LARGE], [2; LARGE]];
    refuses.rows.store(true, Ordering::Release);
    engine.finish_upload(&cx, &name, upload, chunk(0, &first), &Digest::sha256(&first)).await.unwrap_err();
    refuses.rows.store(false, Ordering::Release);
    engine.finish_upload(&cx, &name, upload, chunk(0, &second), &Digest::sha256(&second)).await.unwrap_err();
    engine.stat_blob(&cx, &name, &Digest::sha256(&second)).await.unwrap_err();
    assert!(matches!(engine.upload_status(&cx, &name, upload).await, Err(Error::UploadUnknown { .. })));
}

/// The same bytes may be tried again only if it is known that they can be read back.
#[tokio::test]
async fn an_upload_whose_bytes_may_be_damaged_is_over() {
    let refuses = Refuses::default();
    let engine = refuses.engine(MemoryBlobs::default(), MemorySessions::default(), true);
    let (cx, name) = (Context::internal(), "a".parse::<RepositoryName>().unwrap());
    let upload = engine.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
    engine.append_upload(&cx, &name, upload, chunk(0, &[1; LARGE])).await.unwrap();
    engine.blobs.discard(upload, &[]).await.unwrap();
    engine.finish_upload(&cx, &name, upload, chunk(LARGE, &[]), &Digest::sha256(&[1; LARGE])).await.unwrap_err();
    assert!(matches!(engine.upload_status(&cx, &name, upload).await, Err(Error::UploadUnknown { .. })));
}
