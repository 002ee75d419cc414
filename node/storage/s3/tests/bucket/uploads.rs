//! Uploads in many parts: taken up by other processes, written by two at once, dropped and cleaned up.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::TryStreamExt;
use zot_contract::UploadId;
use zot_s3::S3Blobs;
use zot_storage::{
    BlobAddress,
    blobs::{BlobStore, Staged},
    metadata::Outcome,
    sessions::{MemorySessions, SessionRecord, Sessions},
};

use crate::server::{config, content, key, needs_server, open, read, shared};

const MIB: usize = 1 << 20;

async fn commit(mut staged: Box<dyn Staged>, bytes: &[u8]) -> BlobAddress {
    let place = staged.commit(&key(bytes)).await.unwrap();
    staged.finish();
    BlobAddress { key: key(bytes), place }
}

/// As another process would.
async fn take_up(store: &S3Blobs, upload: UploadId, size: usize, state: &[u8]) -> Box<dyn Staged> {
    store.resume(upload, size as u64, state).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_in_another_process_after_every_chunk() {
    needs_server!("uploads::an_upload_goes_on_in_another_process_after_every_chunk");
    let server = shared().await;
    let config = config(&server.endpoint());
    let (bytes, upload) = (content(64 * MIB), UploadId::random());
    let (mut written, mut state) = (0, Bytes::new());
    for chunk in [1, 3 * MIB, 5 * MIB + 1, 17, 12 * MIB].into_iter().cycle() {
        let store = open(&config).await;
        let end = bytes.len().min(written + chunk);
        let mut staged = if written == 0 { store.stage(upload).await.unwrap() } else { take_up(&store, upload, written, &state).await };
        staged.write(vec![bytes.slice(written..end)]).await.unwrap();
        staged.flush().await.unwrap();
        (written, state) = (end, staged.state());
        if written == bytes.len() {
            let at = commit(staged, &bytes).await;
            assert!(read(&store, &at, bytes.len()).await == bytes);
            assert_eq!(store.size(&at).await.unwrap(), Some(bytes.len() as u64));
            // What each process took over from the one before, nobody knows any more.
            store.reap(Duration::ZERO, &MemorySessions::shared()).await.unwrap();
            assert_eq!(store.staged().await.unwrap(), []);
            // The first chunk was all of the upload once, so that rows might speak of it.
            let placed = store.placed(Duration::ZERO, None, 10).await.unwrap().0;
            let sizes: BTreeMap<_, _> = placed.into_iter().map(|placed| (placed.place, placed.size)).collect();
            assert_eq!((sizes.len(), sizes.get(&at.place)), (2, Some(&(bytes.len() as u64))));
            store.delete(&at).await.unwrap();
            assert_eq!(store.size(&at).await.unwrap(), None);
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_chunks_become_one_blob() {
    needs_server!("uploads::many_small_chunks_become_one_blob");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let bytes = content(50 * 7);
    let mut staged = store.stage(UploadId::random()).await.unwrap();
    for chunk in 0..50 {
        staged.write(vec![bytes.slice(chunk * 7..chunk * 7 + 7)]).await.unwrap();
        staged.flush().await.unwrap();
    }
    let at = commit(staged, &bytes).await;
    store.swept().await;
    assert_eq!(store.placed(Duration::ZERO, None, 10).await.unwrap().0.len(), 1);
    assert_eq!(read(&store, &at, bytes.len()).await, bytes);
    assert_eq!(store.staged().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_one_upload_never_make_one_blob() {
    needs_server!("uploads::two_writers_of_one_upload_never_make_one_blob");
    let server = shared().await;
    let config = config(&server.endpoint());
    let (store, other) = (open(&config).await, open(&config).await);
    let upload = UploadId::random();
    let (start, ours, theirs) = (content(6 * MIB), content(11 * MIB), content(11 * MIB + 8));
    let mut current = store.stage(upload).await.unwrap();
    current.write(vec![start.clone()]).await.unwrap();
    current.flush().await.unwrap();
    let mut stale = take_up(&other, upload, start.len(), &current.state()).await;
    current.write(vec![ours.clone()]).await.unwrap();
    current.flush().await.unwrap();
    stale.write(vec![theirs]).await.unwrap();
    stale.flush().await.unwrap();

    let whole = [start, ours].concat();
    match current.commit(&key(&whole)).await {
        // A server that keeps both parts takes the one that is named.
        Ok(place) => assert!(read(&store, &BlobAddress { key: key(&whole), place }, whole.len()).await == whole),
        Err(error) => assert!(error.to_string().contains("complete"), "{error}"),
    }
}

/// What was acknowledged as all of an upload is the blob: for whoever wrote it alone, who may remove it as well.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_up_a_small_upload_takes_nothing_from_who_had_it() {
    needs_server!("uploads::who_takes_up_a_small_upload_takes_nothing_from_who_had_it");
    let server = shared().await;
    let config = config(&server.endpoint());
    let (store, other) = (open(&config).await, open(&config).await);
    let (bytes, upload) = (content(MIB), UploadId::random());
    let mut first = store.stage(upload).await.unwrap();
    first.write(vec![bytes.clone()]).await.unwrap();
    first.flush().await.unwrap();
    let state = first.state();
    let mut second = take_up(&other, upload, MIB, &state).await;
    let theirs = second.commit(&key(&bytes)).await.unwrap();
    let mut third = take_up(&other, upload, MIB, &state).await;
    third.write(vec![content(11 * MIB)]).await.unwrap();
    third.flush().await.unwrap();
    third.discard().await.unwrap();
    other.discard(upload, &state).await.unwrap();
    for store in [&store, &other] {
        store.swept().await;
    }
    // It was stopped all the time.
    let ours = first.commit(&key(&bytes)).await.unwrap();
    assert_ne!(ours, theirs);
    for place in [ours, theirs] {
        assert!(read(&store, &BlobAddress { key: key(&bytes), place }, MIB).await == bytes);
    }
}

/// What has more than is left of the upload, or less, is not the blob.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_since_it_was_acknowledged_is_stored_anew() {
    needs_server!("uploads::what_was_cut_since_it_was_acknowledged_is_stored_anew");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let bytes = content(2 * MIB);
    for (size, more) in [(MIB, 0), (2 * MIB, 7)] {
        let mut staged = store.stage(UploadId::random()).await.unwrap();
        staged.write(vec![bytes.clone()]).await.unwrap();
        staged.flush().await.unwrap();
        staged.truncate(size as u64).await.unwrap();
        staged.write(vec![bytes.slice(..more)]).await.unwrap();
        let whole = [&bytes[..size], &bytes[..more]].concat();
        let at = commit(staged, &whole).await;
        assert!(read(&store, &at, whole.len()).await == whole);
    }
    store.swept().await;
    assert_eq!(store.placed(Duration::ZERO, None, 10).await.unwrap().0.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_chunk_is_undone() {
    needs_server!("uploads::a_failed_chunk_is_undone");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let bytes = content(13 * MIB);
    let mut staged = store.stage(UploadId::random()).await.unwrap();
    for at in [0, 7 * MIB] {
        staged.write(vec![bytes.slice(at..at + MIB)]).await.unwrap();
        staged.flush().await.unwrap();
        let flushed = (at + MIB) as u64;
        // Across the end of a part, flushed or not.
        for flush in [true, false] {
            staged.write(vec![content(7 * MIB)]).await.unwrap();
            if flush {
                staged.flush().await.unwrap();
            }
            staged.truncate(flushed).await.unwrap();
        }
        let end = if at == 0 { 7 * MIB } else { bytes.len() };
        staged.write(vec![bytes.slice(at + MIB..end)]).await.unwrap();
    }
    assert!(staged.truncate(20 << 20).await.is_err());
    let at = commit(staged, &bytes).await;
    assert!(read(&store, &at, bytes.len()).await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_read_back_goes_on() {
    needs_server!("uploads::an_upload_that_was_read_back_goes_on");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let bytes = content(14 * MIB);
    for more in [false, true] {
        let mut staged = store.stage(UploadId::random()).await.unwrap();
        let first = if more { 12 * MIB } else { bytes.len() };
        staged.write(vec![bytes.slice(..first)]).await.unwrap();
        staged.flush().await.unwrap();
        for _ in 0..2 {
            let pieces: Vec<Bytes> = staged.read_back().await.unwrap().try_collect().await.unwrap();
            assert!(pieces.concat() == bytes[..first]);
        }
        if more {
            staged.write(vec![bytes.slice(first..)]).await.unwrap();
        }
        let at = commit(staged, &bytes).await;
        assert!(read(&store, &at, bytes.len()).await == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_is_reaped() {
    needs_server!("uploads::what_nobody_knows_is_reaped");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let [known, unknown, left] = [(); 3].map(|()| UploadId::random());
    for upload in [known, unknown, left] {
        let mut staged = store.stage(upload).await.unwrap();
        staged.write(vec![content(6 * MIB)]).await.unwrap();
        staged.flush().await.unwrap();
    }
    let sessions = MemorySessions::shared();
    for upload in [known, left] {
        sessions.save(upload, &SessionRecord::default(), None).await.unwrap();
    }
    assert_eq!(store.reap(Duration::from_secs(3600), &MemorySessions::shared()).await.unwrap(), 0);
    assert_eq!(store.reap(Duration::ZERO, &sessions).await.unwrap(), 1);
    assert_eq!(store.staged().await.unwrap().len(), 2);
    store.discard(left, &[]).await.unwrap();
    assert_eq!(store.staged().await.unwrap(), [known]);
}

/// Sessions of uploads, all but the first of which that is looked for are saved at that moment.
#[derive(Debug, Default)]
struct Late {
    sessions: MemorySessions,
    uploads: Mutex<Vec<UploadId>>,
}

#[async_trait::async_trait]
impl Sessions for Late {
    async fn save(&self, upload: UploadId, session: &SessionRecord, previous: Option<u64>) -> zot_storage::Result<Outcome> {
        self.sessions.save(upload, session, previous).await
    }

    async fn load(&self, upload: UploadId) -> zot_storage::Result<Option<SessionRecord>> {
        let others = std::mem::take(&mut *self.uploads.lock().unwrap());
        for other in others.into_iter().filter(|other| *other != upload) {
            self.save(other, &SessionRecord::default(), None).await?;
        }
        self.sessions.load(upload).await
    }

    async fn remove(&self, upload: UploadId) -> zot_storage::Result<()> {
        self.sessions.remove(upload).await
    }

    async fn list(&self) -> zot_storage::Result<Vec<(UploadId, SystemTime)>> {
        self.sessions.list().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_saves_since_it_was_listed_is_not_reaped() {
    needs_server!("uploads::what_somebody_saves_since_it_was_listed_is_not_reaped");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let uploads = [(); 3].map(|()| UploadId::random());
    let mut staged = Vec::new();
    for upload in uploads {
        let mut one = store.stage(upload).await.unwrap();
        one.write(vec![content(6 * MIB)]).await.unwrap();
        one.flush().await.unwrap();
        staged.push(one);
    }
    let sessions = Late { uploads: Mutex::new(uploads.to_vec()), ..Late::default() };
    assert_eq!(store.reap(Duration::ZERO, &sessions).await.unwrap(), 1);
    assert_eq!(store.staged().await.unwrap().len(), 2);
    let whole = content(6 * MIB);
    let key = key(&whole);
    let committed = futures::future::join_all(staged.iter_mut().map(|staged| staged.commit(&key))).await;
    assert_eq!(committed.into_iter().filter(Result::is_ok).count(), 2);
}
