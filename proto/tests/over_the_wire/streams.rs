//! Bodies in both directions: what is whole, what broke off, and what waits for whom.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use tokio::{sync::oneshot, time::timeout};
use zot_contract::{
    BlobBody, Blobs as _, BoxError, Catalog as _, Chunk, Context, Error, MemoryRegistry, PageRequest, Registry, UploadId, Uploads as _,
    suite::{Client, body, content::blob_of},
};
use zot_oci::Digest;

use crate::{scripted::Scripted, wire::Wire};

/// A test that takes longer hangs. Generous, because nothing here measures speed.
const HANG: Duration = Duration::from_secs(60);

/// Reads a blob of ten bytes whose stream gives `pieces`.
async fn read(pieces: Vec<Result<Bytes, Error>>) -> Result<Vec<Bytes>, Error> {
    let body = BlobBody::new(10, stream::iter(pieces).boxed());
    let wire = Wire::to(Scripted::reading(body)).await;
    let body = wire.remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), None).await?;
    assert_eq!(body.size, 10);
    timeout(HANG, body.in_memory().try_collect()).await.unwrap()
}

#[tokio::test]
async fn a_whole_blob_ends() {
    let pieces = read(vec![Ok("01234".into()), Ok(Bytes::new()), Ok("56789".into())]).await.unwrap();
    assert_eq!(pieces.concat(), b"0123456789");
}

#[tokio::test]
async fn a_blob_that_ends_early_is_an_error() {
    let broken = read(vec![Ok("012345678".into())]).await;
    assert!(matches!(broken, Err(Error::Unavailable { .. })), "{broken:?}");
}

#[tokio::test]
async fn a_blob_that_goes_on_after_its_end_is_an_error() {
    let broken = read(vec![Ok("0123456789".into()), Ok("0".into())]).await;
    assert!(matches!(broken, Err(Error::Internal(_))), "{broken:?}");
}

#[tokio::test]
async fn an_error_within_a_blob_arrives_as_it_is() {
    let retry_after = Duration::from_secs(7);
    let failed = Error::Unavailable { what: "the disk", retry_after, source: "gone".into() };
    match read(vec![Ok("01234".into()), Err(failed)]).await {
        Err(Error::Unavailable { what: "the disk", retry_after: found, source }) => {
            assert_eq!((found, source.to_string()), (retry_after, "gone".to_owned()));
        }
        other => panic!("expected the disk to be gone, found {other:?}"),
    }
}

#[tokio::test]
async fn large_pieces_are_cut() {
    let bytes = blob_of(1, 3_000_000);
    let body = BlobBody::new(3_000_000, stream::iter([Ok(bytes.clone())]).boxed());
    let wire = Wire::to(Scripted::reading(body)).await;
    let body = wire.remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), None).await.unwrap();
    let pieces: Vec<Bytes> = body.in_memory().try_collect().await.unwrap();
    assert!(pieces.iter().all(|piece| piece.len() <= zot_proto::PIECE_BYTES_MAX));
    assert!(pieces.concat() == bytes);
}

/// A stream that never ends, and a signal that comes when it is dropped.
fn endless() -> (BlobBody, oneshot::Receiver<()>) {
    let (sender, dropped) = oneshot::channel::<()>();
    let stream = stream::unfold(sender, async |sender| {
        tokio::task::yield_now().await;
        Some((Ok(Bytes::from_static(&[0; 65536])), sender))
    });
    (BlobBody::new(u64::MAX, stream), dropped)
}

#[tokio::test]
async fn who_stops_reading_stops_the_other_end() {
    let (body, dropped) = endless();
    let wire = Wire::to(Scripted::reading(body)).await;
    let mut body = wire.remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), None).await.unwrap();
    body.stream.next().await.unwrap().unwrap();
    drop(body);
    timeout(HANG, dropped).await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_wait_do_not_stop_others() {
    let memory: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let blob = blob_of(2, 16_000_000);
    let digest = Client::new(&memory, "a").push_blob(blob.clone()).await;
    let wire = Wire::to(memory).await;
    let (cx, repository) = (Context::internal(), "a".parse().unwrap());
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut body = wire.remote.read_blob(&cx, &repository, &digest, None).await.unwrap();
        body.stream.next().await.unwrap().unwrap();
        waiting.push(body);
    }
    let body = wire.remote.read_blob(&cx, &repository, &digest, None).await.unwrap();
    let pieces: Vec<Bytes> = timeout(HANG, body.in_memory().try_collect()).await.unwrap().unwrap();
    assert!(pieces.concat() == blob);
}

#[tokio::test]
async fn the_caller_gets_back_why_its_body_broke_off() {
    let memory: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let wire = Wire::to(memory).await;
    let (cx, repository) = (Context::internal(), "a".parse().unwrap());
    let upload = wire.remote.open_upload(&cx, &repository, zot_oci::Algorithm::Sha256).await.unwrap();
    let stalled: BoxError = Box::new(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let stream = stream::iter([Ok(Bytes::from("abc")), Err(stalled)]).boxed();
    match wire.remote.append_upload(&cx, &repository, upload, Chunk { at: None, length: None, stream }).await {
        Err(Error::BodyBroken(source)) => assert!(source.is::<std::io::Error>()),
        other => panic!("expected a broken body, found {other:?}"),
    }
    assert_eq!(wire.remote.upload_status(&cx, &repository, upload).await.unwrap().offset, 3);
}

#[tokio::test]
async fn the_place_and_the_length_of_a_chunk_are_told() {
    let scripted = Arc::new(Scripted::default());
    let wire = Wire::to(scripted.clone()).await;
    let (cx, repository, upload) = (Context::internal(), "a".parse().unwrap(), UploadId::random());
    wire.remote.append_upload(&cx, &repository, upload, Chunk::of("abc").at(7)).await.unwrap();
    let unknown = Chunk { length: None, ..Chunk::of("abc") };
    wire.remote.finish_upload(&cx, &repository, upload, unknown, &Digest::sha256(b"")).await.unwrap();
    assert_eq!(*scripted.chunks.lock(), [(Some(7), Some(3)), (None, None)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_dropped_keeps_what_arrived_and_frees_the_upload() {
    let memory: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let wire = Wire::to(memory).await;
    let remote: Arc<dyn Registry> = Arc::new(wire.remote.clone());
    let client = Client::new(&remote, "a");
    let upload = client.open().await;
    let (chunk, mut hold) = body::held("abc".into(), "def".into());
    let mut append = client.append(upload, chunk).boxed();
    tokio::select! {
        ended = &mut append => panic!("the request ended with {ended:?}"),
        () = hold.reached() => {}
    }
    while client.status(upload).await.unwrap() != 3 {
        tokio::task::yield_now().await;
    }
    drop(append);
    while client.append(upload, Chunk::of("def").at(3)).await.is_err() {
        tokio::task::yield_now().await;
    }
    client.finish(upload, Chunk::empty(), &Digest::sha256(b"abcdef")).await.unwrap();
}

#[tokio::test]
async fn a_page_of_referrers_may_be_larger_than_a_message() {
    let wire = Wire::to(Arc::new(Scripted::default())).await;
    let (cx, repository, subject) = (Context::internal(), "a".parse().unwrap(), Digest::sha256(b""));
    let page = wire.remote.list_referrers(&cx, &repository, &subject, &PageRequest::first(100)).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (100, true));
}
