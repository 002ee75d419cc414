//! What holds when several requests write to one upload.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;
use zot_oci::Digest;

use super::{Client, body, content::blob_of};
use crate::{Chunk, Error, Registry, Result, UploadId};

/// How many requests write at once.
const WRITERS: u64 = 16;
/// How much each of them writes.
const CHUNK_BYTES: usize = 90_000;

/// Whoever reaches the registry first wins; over a wire that may be the one who started second.
pub(super) async fn a_second_writer_is_refused(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let upload = client.open().await;
    let whole = match race(&client, upload, Some(0)).await {
        (Ok(8), Err(refusal)) if lost_the_race(&refusal) => "one, two",
        (Err(refusal), Ok(5)) if lost_the_race(&refusal) => "three",
        other => panic!("expected one writer to win, found {other:?}"),
    };
    client.finish(upload, Chunk::empty(), &Digest::sha256(whole.as_bytes())).await.unwrap();
}

/// Without an offset the second writer may also have been done before the first one began.
pub(super) async fn a_second_writer_at_the_end_does_not_interleave(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let upload = client.open().await;
    let whole = match race(&client, upload, None).await {
        (Ok(8), Err(Error::UploadBusy { .. })) => "one, two",
        (Err(Error::UploadBusy { .. }), Ok(5)) => "three",
        (Ok(13), Ok(5)) => "threeone, two",
        other => panic!("expected no bytes in between, found {other:?}"),
    };
    client.finish(upload, Chunk::empty(), &Digest::sha256(whole.as_bytes())).await.unwrap();
}

/// Appends `one, two`, and `three` while the first body is held back after its comma.
async fn race(client: &Client, upload: UploadId, at: Option<u64>) -> (Result<u64>, Result<u64>) {
    let (chunk, mut hold) = body::held(Bytes::from("one, "), Bytes::from("two"));
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.append(upload, Chunk { at, ..chunk }).await }
    });
    hold.reached().await;
    let second = client.append(upload, Chunk { at, ..Chunk::of("three") }).await;
    hold.release();
    (first.await.unwrap(), second)
}

/// The request is dropped between two pieces of its body, as it is when a connection closes.
pub(super) async fn an_abandoned_request_lets_the_next_one_in(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let bytes = blob_of(1, 100_000);
    let upload = client.open().await;
    let (chunk, mut hold) = body::held(bytes.slice(..60_000), Bytes::new());
    // Over a wire it may still come when the next one is done. Without an offset it would be appended to that then.
    let chunk = chunk.at(0);
    tokio::select! {
        ended = client.append(upload, chunk) => panic!("the request ended with {ended:?}"),
        () = hold.reached() => {}
    }
    while append_rest(&client, upload, &bytes).await.is_err() {
        tokio::task::yield_now().await;
    }
    client.finish(upload, Chunk::empty(), &Digest::sha256(&bytes)).await.unwrap();
}

/// Goes on where the upload stands, and fails if somebody else still writes.
async fn append_rest(client: &Client, upload: UploadId, bytes: &Bytes) -> Result<()> {
    let offset = match client.status(upload).await {
        Err(refusal) if lost_the_race(&refusal) => return Err(refusal),
        status => status.unwrap(),
    };
    let arrived = usize::try_from(offset).unwrap();
    assert!(arrived <= 60_000, "{arrived} bytes arrived of 60000 sent");
    match client.append(upload, Chunk::of(bytes.slice(arrived..)).at(offset)).await {
        Err(refusal) if lost_the_race(&refusal) => Err(refusal),
        appended => {
            assert_eq!(appended.unwrap(), bytes.len() as u64);
            Ok(())
        }
    }
}

pub(super) async fn of_many_writers_one_wins(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let upload = client.open().await;
    let winners = append_all(&client, upload, Some(0)).await;
    assert_eq!(winners.len(), 1, "the winners are {winners:?}");
    let digest = Digest::sha256(&blob_of(winners[0].1, CHUNK_BYTES));
    client.finish(upload, Chunk::empty(), &digest).await.unwrap();
}

pub(super) async fn of_many_writers_at_the_end_none_interleave(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let upload = client.open().await;
    let mut winners = append_all(&client, upload, None).await;
    assert!(!winners.is_empty());
    winners.sort_unstable();
    let chunks: Vec<Bytes> = winners.iter().map(|(_, writer)| blob_of(*writer, CHUNK_BYTES)).collect();
    client.finish(upload, Chunk::empty(), &Digest::sha256(&chunks.concat())).await.unwrap();
}

/// Every writer appends its own chunk; those that won, each after the offset it got to.
async fn append_all(client: &Client, upload: UploadId, at: Option<u64>) -> Vec<(u64, u64)> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let client = client.clone();
        let pieces = blob_of(writer, CHUNK_BYTES).chunks(CHUNK_BYTES / 10).map(Bytes::copy_from_slice).collect();
        let chunk = Chunk { at, ..body::in_pieces(pieces) };
        writers.spawn(async move { (writer, client.append(upload, chunk).await) });
    }
    writers.join_all().await.into_iter().filter_map(won).collect()
}

pub(super) async fn of_many_who_finish_one_does(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let upload = client.open().await;
    let digest = Digest::sha256(b"abc");
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let client = client.clone();
        writers.spawn(async move { (writer, client.finish(upload, Chunk::of("abc").at(0), &digest).await) });
    }
    let winners: Vec<_> = writers.join_all().await.into_iter().filter_map(won).collect();
    assert_eq!(winners.len(), 1, "the winners are {winners:?}");
    assert_eq!(client.read(&digest).await.unwrap(), "abc");
}

/// What a writer got, and who it is, if it won.
fn won<T: std::fmt::Debug>((writer, result): (u64, Result<T>)) -> Option<(T, u64)> {
    match result {
        Ok(got) => Some((got, writer)),
        // Whoever comes after the upload has ended does not find it.
        Err(Error::UploadUnknown { .. }) => None,
        Err(refusal) if lost_the_race(&refusal) => None,
        Err(error) => panic!("writer {writer} got {error:?}"),
    }
}

fn lost_the_race(refusal: &Error) -> bool {
    matches!(refusal, Error::UploadBusy { .. } | Error::UploadOffset { .. })
}
