//! More uploads than there is room for, and abandoned ones.

use std::time::Duration;

use super::*;
use crate::engine::OpenUploads;

const OPEN_MAX: usize = 8;
const LEFT_MAX: usize = 4 * OPEN_MAX;

fn engine(sessions: MemorySessions) -> Engine {
    let engine = Engine::new(Arc::<MemoryMetadata>::default(), Arc::<MemoryBlobs>::default(), Arc::new(sessions), true);
    Engine { uploads: Arc::new(OpenUploads::limited(OPEN_MAX, LEFT_MAX)), ..engine }
}

/// Opens more uploads than there is room for, with these bytes in each.
async fn flood(engine: &Engine, bytes: &[u8]) {
    let (cx, name) = (Context::internal(), "flood".parse().unwrap());
    for _ in 0..3 * OPEN_MAX {
        let upload = engine.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
        if !bytes.is_empty() {
            engine.append_upload(&cx, &name, upload, chunk(0, bytes)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn whoever_opens_uploads_without_end_keeps_nobody_from_pushing() {
    for bytes in [&[][..], &[1; SMALL], &[1; LARGE]] {
        for sessions in [MemorySessions::default, MemorySessions::shared] {
            let engine = engine(sessions());
            let (cx, name) = (Context::internal(), "a".parse::<RepositoryName>().unwrap());
            flood(&engine, bytes).await;
            let upload = engine.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
            let begun = engine.append_upload(&cx, &name, upload, chunk(0, &[2; LARGE])).await.unwrap();
            assert_eq!(begun.offset, LARGE as u64);

            flood(&engine, bytes).await;
            assert!(engine.uploads.all().len() <= OPEN_MAX);
            assert_eq!(engine.upload_status(&cx, &name, upload).await.unwrap(), begun);
            let digest = Digest::sha256(&[2; 2 * LARGE]);
            engine.finish_upload(&cx, &name, upload, chunk(LARGE, &[2; LARGE]), &digest).await.unwrap();
            assert_eq!(engine.stat_blob(&cx, &name, &digest).await.unwrap().size, 2 * LARGE as u64);
        }
    }
}

#[tokio::test]
async fn uploads_without_bytes_leave_before_those_that_would_have_to_be_read_again() {
    let engine = engine(MemorySessions::default());
    let (cx, name) = (Context::internal(), "a".parse::<RepositoryName>().unwrap());
    let upload = engine.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
    engine.append_upload(&cx, &name, upload, chunk(0, &[2; SMALL])).await.unwrap();
    flood(&engine, &[]).await;
    assert!(engine.uploads.get(upload).is_some());
}

#[tokio::test]
async fn uploads_whose_bytes_are_nowhere_else_stay() {
    let sessions = Arc::new(FailingSessions { sessions: MemorySessions::shared(), fails: Switch::default() });
    let fails = sessions.fails.clone();
    let engine = Engine::new(Arc::<MemoryMetadata>::default(), Arc::<MemoryBlobs>::default(), sessions, true);
    let engine = Engine { uploads: Arc::new(OpenUploads::limited(OPEN_MAX, LEFT_MAX)), ..engine };
    let (cx, name) = (Context::internal(), "a".parse::<RepositoryName>().unwrap());
    fails.store(true, Ordering::Release);
    for _ in 0..OPEN_MAX {
        let upload = engine.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
        engine.append_upload(&cx, &name, upload, chunk(0, &[2; SMALL])).await.unwrap();
    }
    let refused = engine.open_upload(&cx, &name, Algorithm::Sha256).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    assert_eq!(engine.uploads.all().len(), OPEN_MAX);
}

#[tokio::test]
async fn what_is_left_behind_of_uploads_without_end_is_bounded() {
    for (bytes, left) in [(&[][..], 0), (&[1; SMALL], LEFT_MAX), (&[1; LARGE], LEFT_MAX)] {
        for sessions in [MemorySessions::default, MemorySessions::shared] {
            let engine = engine(sessions());
            for _ in 0..4 {
                flood(&engine, bytes).await;
            }
            let sessions = engine.sessions.list().await.unwrap().len();
            assert!(sessions <= OPEN_MAX + left, "{sessions} sessions");
            let staged = engine.blobs.staged().await.unwrap().len();
            assert!(staged <= OPEN_MAX + left, "the bytes of {staged} uploads");
        }
    }
}

#[tokio::test]
async fn an_upload_that_somebody_went_on_with_is_not_given_up_for_those_left_before() {
    let engine = engine(MemorySessions::default());
    let (cx, name) = (Context::internal(), "a".parse::<RepositoryName>().unwrap());
    let upload = engine.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
    for round in 0..4 {
        engine.append_upload(&cx, &name, upload, chunk(round * LARGE, &[2; LARGE])).await.unwrap();
        flood(&engine, &[1; SMALL]).await;
    }
    assert_eq!(engine.upload_status(&cx, &name, upload).await.unwrap().offset, 4 * LARGE as u64);
}

/// Whoever ends the sessions of all processes knows nothing of what the others have in memory.
#[tokio::test]
async fn a_process_lets_go_of_what_it_has_of_abandoned_uploads_and_leaves_their_sessions() {
    let engine = engine(MemorySessions::shared());
    let (cx, name) = (Context::internal(), "a".parse::<RepositoryName>().unwrap());
    let upload = engine.open_upload(&cx, &name, Algorithm::Sha256).await.unwrap();
    engine.append_upload(&cx, &name, upload, chunk(0, &[2; LARGE])).await.unwrap();
    assert_eq!(engine.reap_open_uploads(Duration::ZERO).await.unwrap(), 0);
    assert_eq!(engine.uploads.all().len(), 0);
    assert_eq!(engine.upload_status(&cx, &name, upload).await.unwrap().offset, LARGE as u64);

    engine.reap_open_uploads(Duration::ZERO).await.unwrap();
    assert_eq!(engine.reap_saved_uploads(Duration::ZERO).await.unwrap(), 1);
    assert!(matches!(engine.upload_status(&cx, &name, upload).await, Err(Error::UploadUnknown { .. })));
}
