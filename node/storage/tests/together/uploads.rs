//! Uploads that go from process to process.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::FutureExt;
use tokio::{sync::Semaphore, task::JoinHandle};
use zot_contract::{
    Chunk, Context, Error, Operation, OperationId, Registry, Result, UploadId,
    suite::{
        Client, body,
        content::{blob_of, context, repository},
    },
};
use zot_oci::{Algorithm, Digest};
use zot_storage::{Engine, WallClock};

use crate::{
    Stores,
    faults::{Event, EventfulMetadata, FaultySessions},
};

const SMALL: usize = 1000;
const LARGE: usize = 700_000;

#[tokio::test]
async fn an_upload_goes_to_another_process_and_back() {
    for part in [SMALL, LARGE] {
        let stores = Stores::new();
        let [one, two] = [stores.client("a"), stores.client("a")];
        let bytes = blob_of(1, 4 * part);
        let parts: Vec<Bytes> = (0..4).map(|number| bytes.slice(number * part..(number + 1) * part)).collect();
        let upload = one.open().await;
        for (client, number) in [(&one, 0), (&two, 1), (&one, 2)] {
            assert_eq!(client.status(upload).await.unwrap(), (number * part) as u64);
            client.append(upload, Chunk::of(parts[number].clone()).at((number * part) as u64)).await.unwrap();
        }
        let digest = Digest::sha256(&bytes);
        two.finish(upload, Chunk::of(parts[3].clone()), &digest).await.unwrap();
        assert_eq!(one.read(&digest).await.unwrap(), bytes);
        for client in [one, two] {
            assert!(matches!(client.status(upload).await, Err(Error::UploadUnknown { .. })));
        }
        assert_eq!(stores.blobs.staged().await.unwrap(), []);
        assert_eq!(stores.sessions.list().await.unwrap(), []);
    }
}

/// Appends through `one` while its body is held back, and goes on through `two` meanwhile.
async fn overtaken(one: &Client, two: &Client, upload: UploadId, at: usize, bytes: &Bytes) -> Error {
    let (chunk, mut hold) = body::held(blob_of(8, LARGE), blob_of(9, LARGE));
    let stale = tokio::spawn({
        let one = one.clone();
        async move { one.append(upload, chunk).await }
    });
    hold.reached().await;
    two.append(upload, Chunk::of(bytes.clone()).at(at as u64)).await.unwrap();
    hold.release();
    stale.await.unwrap().unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_was_overtaken_is_refused_and_spoils_nothing() {
    for first in [SMALL, LARGE] {
        let stores = Stores::new();
        let [one, two] = [stores.client("a"), stores.client("a")];
        let bytes = blob_of(2, first + LARGE);
        let upload = one.open().await;
        one.append(upload, Chunk::of(bytes.slice(..first))).await.unwrap();
        let refusal = overtaken(&one, &two, upload, first, &bytes.slice(first..)).await;
        assert!(matches!(refusal, Error::UploadBusy { .. }), "{refusal:?}");
        // And it sees where the other one got to.
        assert_eq!(one.status(upload).await.unwrap(), bytes.len() as u64);
        one.finish(upload, Chunk::empty(), &Digest::sha256(&bytes)).await.unwrap();
        assert_eq!(two.read(&Digest::sha256(&bytes)).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn what_one_process_cancels_is_over_in_the_others() {
    let stores = Stores::new();
    let [one, two] = [stores.client("a"), stores.client("a")];
    let upload = one.open().await;
    two.append(upload, Chunk::of(blob_of(3, LARGE))).await.unwrap();
    one.cancel(upload).await.unwrap();
    assert!(matches!(two.append(upload, Chunk::of("x")).await, Err(Error::UploadUnknown { .. })));
    assert_eq!(stores.blobs.staged().await.unwrap(), []);
}

#[tokio::test]
async fn an_upload_belongs_to_its_subject_in_every_process() {
    let stores = Stores::new();
    let upload = stores.client("a").user("alice").open().await;
    assert!(matches!(stores.client("a").user("bob").status(upload).await, Err(Error::UploadUnknown { .. })));
    assert!(matches!(stores.client("b").user("alice").status(upload).await, Err(Error::UploadUnknown { .. })));
    assert_eq!(stores.client("a").user("alice").status(upload).await.unwrap(), 0);
}

fn faulty() -> (Stores, Arc<FaultySessions>) {
    let sessions = Arc::<FaultySessions>::default();
    (Stores { sessions: sessions.clone(), ..Stores::new() }, sessions)
}

#[tokio::test]
async fn pushes_go_on_in_one_process_while_the_sessions_are_out_of_reach() {
    for opened_before in [true, false] {
        let (stores, sessions) = faulty();
        let [one, two] = [stores.client("a"), stores.client("a")];
        let bytes = blob_of(4, 3 * LARGE);
        sessions.set_lost(!opened_before);
        let upload = one.open().await;
        one.append(upload, Chunk::of(bytes.slice(..LARGE))).await.unwrap();
        sessions.set_lost(true);
        assert_eq!(one.append(upload, Chunk::of(bytes.slice(LARGE..2 * LARGE))).await.unwrap(), 2 * LARGE as u64);
        // What cannot be known is not told as unknown.
        assert!(matches!(two.status(upload).await, Err(Error::Unavailable { .. })));
        one.finish(upload, Chunk::of(bytes.slice(2 * LARGE..)), &Digest::sha256(&bytes)).await.unwrap();
        assert_eq!(two.read(&Digest::sha256(&bytes)).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn what_was_not_saved_is_saved_when_the_sessions_are_within_reach_again() {
    for flushed in [true, false] {
        let (stores, sessions) = faulty();
        let [one, two] = [stores.client("a"), stores.client("a")];
        let upload = one.open().await;
        one.append(upload, Chunk::of("one, ")).await.unwrap();
        sessions.set_lost(true);
        one.append(upload, Chunk::of("two, ")).await.unwrap();
        if flushed {
            sessions.flush();
        }
        sessions.set_lost(false);
        one.append(upload, Chunk::of("three, ")).await.unwrap();
        assert_eq!(two.append(upload, Chunk::of("four").at(17)).await.unwrap(), 21);
        one.finish(upload, Chunk::empty(), &Digest::sha256(b"one, two, three, four")).await.unwrap();
    }
}

#[tokio::test]
async fn who_may_have_been_overtaken_and_cannot_find_out_does_not_say_how_far_an_upload_is() {
    let (stores, sessions) = faulty();
    let [one, two] = [stores.client("a"), stores.client("a")];
    let upload = one.open().await;
    two.append(upload, Chunk::of("abc")).await.unwrap();
    sessions.set_lost(true);
    assert!(matches!(one.status(upload).await, Err(Error::Unavailable { .. })));
    assert!(matches!(one.append(upload, Chunk::of("d").at(3)).await, Err(Error::Unavailable { .. })));
    sessions.set_lost(false);
    assert_eq!(one.status(upload).await.unwrap(), 3);
}

#[tokio::test]
async fn uploads_start_over_when_the_sessions_are_lost() {
    let (stores, sessions) = faulty();
    let client = stores.client("a");
    let upload = client.open().await;
    sessions.flush();
    assert!(matches!(client.append(upload, Chunk::of("x")).await, Err(Error::UploadUnknown { .. })));
}

/// Goes on with an upload while its body is held back, and lets `event` happen meanwhile. With a digest, it is finished.
async fn interrupted(client: &Client, upload: UploadId, digest: Option<Digest>, event: impl FnOnce()) -> Error {
    let (chunk, mut hold) = body::held(blob_of(8, LARGE), blob_of(9, LARGE));
    let writer = tokio::spawn({
        let client = client.clone();
        async move {
            match digest {
                Some(digest) => client.finish(upload, chunk, &digest).await,
                None => client.append(upload, chunk).await.map(drop),
            }
        }
    });
    hold.reached().await;
    event();
    hold.release();
    writer.await.unwrap().unwrap_err()
}

/// The sessions were out of reach when the request came, or there, and are empty when it ends: nobody else has the upload.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_session_is_lost_during_a_request_is_unknown_and_not_busy() {
    for (digest, away) in [(None, false), (None, true), (Some(Digest::sha256(b"x")), false), (Some(Digest::sha256(b"x")), true)] {
        let (stores, sessions) = faulty();
        let client = stores.client("a");
        let upload = client.open().await;
        sessions.set_lost(away);
        let refusal = interrupted(&client, upload, digest, || {
            sessions.flush();
            sessions.set_lost(false);
        });
        let refusal = refusal.await;
        assert!(matches!(refusal, Error::UploadUnknown { .. }), "{refusal:?}");
        assert!(matches!(client.status(upload).await, Err(Error::UploadUnknown { .. })));
    }
}

/// An upload of `first` bytes, whose end with the rest of `bytes` is stuck in a process, right before its rows are committed.
async fn stuck_at_its_end(stores: &Stores, operation: Operation, bytes: &Bytes, first: usize) -> (UploadId, JoinHandle<Result<()>>) {
    let reached = Arc::new(Semaphore::new(0));
    let event: Event = Box::new({
        let reached = reached.clone();
        move || {
            async move {
                reached.add_permits(1);
                std::future::pending().await
            }
            .boxed()
        }
    });
    let one = Stores { metadata: Arc::new(EventfulMetadata::new(&stores.metadata, 0, event)), ..stores.clone() }.client("a");
    let upload = one.open().await;
    one.append(upload, Chunk::of(bytes.slice(..first))).await.unwrap();
    let one = Client { cx: one.cx.clone().attempting(operation), ..one };
    let (last, digest) = (Chunk::of(bytes.slice(first..)), Digest::sha256(bytes));
    let stuck = tokio::spawn(async move { one.finish(upload, last, &digest).await });
    drop(reached.acquire().await.unwrap());
    (upload, stuck)
}

/// What comes with the end is acknowledged with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_process_died_at_its_end_goes_on_where_it_was_acknowledged() {
    for first in [0, SMALL] {
        for last in [SMALL, LARGE] {
            let (stores, bytes) = (Stores::new(), blob_of(6, first + last));
            let operation = Operation { id: OperationId::new(), again: false };
            let (upload, stuck) = stuck_at_its_end(&stores, operation, &bytes, first).await;
            let later = WallClock::of(|| SystemTime::now() + Duration::from_secs(120));
            let registry: Arc<dyn Registry> = Arc::new(stores.engine().with_wall_clock(later));
            let two = Client::new(&registry, "a");
            assert_eq!(two.status(upload).await.unwrap(), first as u64);
            two.finish(upload, Chunk::of(bytes.slice(first..)), &Digest::sha256(&bytes)).await.unwrap();
            assert_eq!(two.read(&Digest::sha256(&bytes)).await.unwrap(), bytes);
            stuck.abort();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_another_attempt_at_the_end_of_an_upload_does_not_wait_for_the_first() {
    for last in [SMALL, LARGE] {
        let (stores, bytes) = (Stores::new(), blob_of(6, SMALL + last));
        let operation = Operation { id: OperationId::new(), again: false };
        let (upload, stuck) = stuck_at_its_end(&stores, operation, &bytes, SMALL).await;
        let two = stores.client("a");
        let (chunk, digest) = (|| Chunk::of(bytes.slice(SMALL..)), Digest::sha256(&bytes));
        for other in [None, Some(Operation { id: OperationId::new(), again: true })] {
            let two = Client { cx: Context { operation: other, ..two.cx.clone() }, ..two.clone() };
            let refused = two.finish(upload, chunk(), &digest).await;
            assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
            // A client that was not told how it ended can ask how far it came.
            assert_eq!(two.status(upload).await.unwrap(), SMALL as u64);
            let of_another = two.user("bob").status(upload).await;
            assert!(matches!(of_another, Err(Error::Unavailable { .. })), "{of_another:?}");
        }
        let again = Client { cx: two.cx.clone().attempting(operation).again(), ..two.clone() };
        again.finish(upload, chunk(), &digest).await.unwrap();
        assert_eq!(two.read(&digest).await.unwrap(), bytes);
        stuck.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_rows_were_refused_is_finished_by_another_process() {
    for last in [SMALL, LARGE] {
        let (stores, bytes) = (Stores::new(), blob_of(6, SMALL + last));
        let refused = Error::internal("the disk is full");
        let event: Event = Box::new(move || async move { Err(zot_storage::Error::remote("commit", refused)) }.boxed());
        let one = Stores { metadata: Arc::new(EventfulMetadata::new(&stores.metadata, 0, event)), ..stores.clone() }.client("a");
        let (upload, digest) = (one.open().await, Digest::sha256(&bytes));
        one.append(upload, Chunk::of(bytes.slice(..SMALL))).await.unwrap();
        assert!(one.finish(upload, Chunk::of(bytes.slice(SMALL..)), &digest).await.is_err());
        let two = stores.client("a");
        assert_eq!(two.status(upload).await.unwrap(), SMALL as u64);
        two.finish(upload, Chunk::of(bytes.slice(SMALL..)), &digest).await.unwrap();
        assert_eq!(two.read(&digest).await.unwrap(), bytes);
    }
}

async fn append(engine: &Engine, upload: UploadId) -> Result<u64> {
    let registry: Arc<dyn Registry> = Arc::new(engine.clone());
    Client::new(&registry, "a").user("alice").append(upload, Chunk::of(blob_of(5, LARGE))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_being_written_to_is_not_given_up() {
    let stores = Stores::new();
    let [one, two] = [stores.engine(), stores.engine()];
    let registry: Arc<dyn Registry> = Arc::new(one.clone());
    let client = Client::new(&registry, "a");
    let upload = client.open().await;
    let opened = stores.sessions.list().await.unwrap();
    let (chunk, mut hold) = body::held(blob_of(6, LARGE), blob_of(7, LARGE));
    let writer = tokio::spawn({
        let client = client.clone();
        async move { client.append(upload, chunk).await }
    });
    hold.reached().await;
    one.reap_open_uploads(Duration::from_secs(3600)).await.unwrap();
    assert!(stores.sessions.list().await.unwrap()[0].1 > opened[0].1);
    assert_eq!(two.reap_saved_uploads(Duration::from_secs(3600)).await.unwrap(), 0);
    hold.release();
    assert_eq!(writer.await.unwrap().unwrap(), 2 * LARGE as u64);
}

#[tokio::test]
async fn one_process_gives_up_what_nobody_continues() {
    let stores = Stores::new();
    let [one, two] = [stores.engine(), stores.engine()];
    let upload = zot_contract::Uploads::open_upload(&one, &context("alice"), &repository("a"), Algorithm::Sha256).await.unwrap();
    append(&one, upload).await.unwrap();
    assert_eq!(two.reap_saved_uploads(Duration::from_secs(3600)).await.unwrap(), 0);
    append(&one, upload).await.unwrap();
    assert_eq!(two.reap_saved_uploads(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(stores.blobs.staged().await.unwrap(), []);
    assert!(matches!(append(&one, upload).await, Err(Error::UploadUnknown { .. })));
}
