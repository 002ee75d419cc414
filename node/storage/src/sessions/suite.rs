//! What every store of upload sessions must do; run by each.
#![expect(clippy::unwrap_used, reason = "this is test code, which other crates' tests can only reach as a library")]

use bytes::Bytes;
use zot_contract::UploadId;

use super::{SessionRecord, Sessions};
use crate::metadata::Outcome;

/// Runs every sentence of the contract against an empty store.
pub async fn sessions_suite(store: &dyn Sessions) {
    a_session_is_read_as_it_was_saved(store).await;
    a_save_that_starts_from_another_revision_conflicts(store).await;
    racing_savers_of_one_revision_have_one_winner(store).await;
}

fn session(revision: u64) -> SessionRecord {
    SessionRecord { repository: "a".into(), offset: revision * 10, inline: Bytes::from_static(b"abc"), revision, ..Default::default() }
}

async fn save(store: &dyn Sessions, upload: UploadId, revision: u64, previous: Option<u64>) -> Outcome {
    store.save(upload, &session(revision), previous).await.unwrap()
}

async fn a_session_is_read_as_it_was_saved(store: &dyn Sessions) {
    let upload = UploadId::random();
    assert_eq!(store.load(upload).await.unwrap(), None);
    for (revision, previous) in [(1, None), (2, Some(1))] {
        assert_eq!(save(store, upload, revision, previous).await, Outcome::Committed);
        assert_eq!(store.load(upload).await.unwrap(), Some(session(revision)));
    }
    assert_eq!(store.list().await.unwrap().into_iter().map(|(upload, _)| upload).collect::<Vec<_>>(), [upload]);
    store.remove(upload).await.unwrap();
    store.remove(upload).await.unwrap();
    assert_eq!(store.load(upload).await.unwrap(), None);
    assert_eq!(store.list().await.unwrap(), []);
}

async fn a_save_that_starts_from_another_revision_conflicts(store: &dyn Sessions) {
    let upload = UploadId::random();
    assert_eq!(save(store, upload, 2, Some(1)).await, Outcome::Conflict);
    assert_eq!(store.load(upload).await.unwrap(), None);
    assert_eq!(save(store, upload, 1, None).await, Outcome::Committed);
    for previous in [None, Some(0), Some(2)] {
        assert_eq!(save(store, upload, 2, previous).await, Outcome::Conflict);
    }
    assert_eq!(store.load(upload).await.unwrap(), Some(session(1)));
    assert_eq!(save(store, upload, 1, Some(1)).await, Outcome::Committed);
    store.remove(upload).await.unwrap();
    assert_eq!(save(store, upload, 2, Some(1)).await, Outcome::Conflict);
    assert_eq!(save(store, upload, 3, None).await, Outcome::Committed);
    store.remove(upload).await.unwrap();
}

async fn racing_savers_of_one_revision_have_one_winner(store: &dyn Sessions) {
    let upload = UploadId::random();
    for (revision, previous) in [(1, None), (2, Some(1))] {
        let outcomes = futures::future::join_all((0..16).map(|_| save(store, upload, revision, previous))).await;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Committed).count(), 1);
    }
    store.remove(upload).await.unwrap();
}
