//! A server that dies, or stops.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::Barrier;
use zot_config::storage;
use zot_contract::UploadId;
use zot_s3::{Limits, S3Blobs};
use zot_services::{process::Signal, wait};
use zot_storage::{BlobAddress, Error, blobs::BlobStore};

use crate::{
    proxy::{Completion, Proxy},
    server::{config, content, key, needs_server, open, read, shared, start},
};

/// Long enough for any bound that holds, on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Gives up soon a server that says nothing, and so does not suit where it is to answer.
fn hasty() -> Limits {
    Limits { connect: Duration::from_millis(300), stall: Duration::from_millis(1500), ..tried_twice() }
}

fn tried_twice() -> Limits {
    Limits { attempts_max: 2, ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_outlives_a_server_that_is_killed() {
    needs_server!("faults::an_upload_outlives_a_server_that_is_killed");
    let mut server = start().await;
    let store = S3Blobs::open(&config(&server.endpoint()), tried_twice()).await.unwrap();
    let bytes = content(17 << 20);
    let half = 8 << 20;
    let mut staged = store.stage(UploadId::random()).await.unwrap();
    staged.write(vec![bytes.slice(..half)]).await.unwrap();
    staged.flush().await.unwrap();
    staged.write(vec![bytes.slice(half..half + (6 << 20))]).await.unwrap();
    server.kill();
    let lost = async {
        staged.write(vec![bytes.slice(half..)]).await?;
        staged.flush().await
    };
    let failed = tokio::time::timeout(PATIENCE, lost).await.unwrap();
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    assert!(staged.write(vec![Bytes::from_static(b"x")]).await.is_err());

    server.restart().await;
    staged.truncate(half as u64).await.unwrap();
    staged.write(vec![bytes.slice(half..)]).await.unwrap();
    staged.flush().await.unwrap();
    let place = staged.commit(&key(&bytes)).await.unwrap();
    assert!(read(&store, &BlobAddress { key: key(&bytes), place }, bytes.len()).await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stopped_is_unavailable_and_then_there_again() {
    needs_server!("faults::a_server_that_stopped_is_unavailable_and_then_there_again");
    let mut server = start().await;
    let patient = S3Blobs::open(&config(&server.endpoint()), Limits::default()).await.unwrap();
    let mut opened = None;
    wait::until("the server is reached", async || {
        opened = S3Blobs::open(&config(&server.endpoint()), hasty()).await.ok();
        opened.is_some()
    })
    .await;
    let store = opened.unwrap();
    let bytes = content(1 << 20);
    patient.put(&key(&bytes), bytes.clone()).await.unwrap();
    let at = BlobAddress::from(key(&bytes));
    server.process().signal(Signal::STOP);
    let within = async |work: std::pin::Pin<Box<dyn Future<Output = zot_storage::Result<()>> + Send + '_>>| {
        let failed = tokio::time::timeout(PATIENCE, work).await.unwrap();
        assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    };
    within(Box::pin(async { store.put(&at.key, bytes.clone()).await })).await;
    within(Box::pin(async { store.size(&at).await.map(drop) })).await;
    within(Box::pin(async { store.read(&at, 1 << 20, zot_oci::ByteRange::whole(1 << 20).unwrap()).await.map(drop) })).await;
    server.process().signal(Signal::CONT);
    wait::until("the server is there again", async || store.size(&at).await.is_ok()).await;
    assert!(read(&patient, &at, bytes.len()).await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_overloaded_is_tried_again_and_then_unavailable() {
    needs_server!("faults::a_server_that_is_overloaded_is_tried_again_and_then_unavailable");
    let server = shared().await;
    let proxy = Proxy::plain(&server.endpoint()).await;
    proxy.cuts.refuse(2);
    let limits = Limits { attempts_max: 3, ..Limits::default() };
    let store = S3Blobs::open(&config(&proxy.address), limits).await.unwrap();
    assert_eq!(store.calls().head, 3);

    let (bytes, before) = (content(1000), store.calls());
    proxy.cuts.refuse(usize::MAX);
    // The connection that stands ends with its next answer.
    proxy.cuts.cut(1, 0);
    store.put(&key(&bytes), bytes.clone()).await.ok();
    let failed = store.put(&key(&bytes), bytes.clone()).await.unwrap_err();
    let Error::Unavailable { what: "blob store", retry_after, source } = failed else { panic!("{failed:?}") };
    assert!(retry_after > Duration::ZERO);
    assert!(source.to_string().ends_with("status 503, SlowDown: Please reduce your request rate."), "{source}");
    assert!((4..=6).contains(&store.calls().since(&before).put));
}

/// Pushes what takes two parts while requests to complete it end like that, and reads it back.
async fn completed(completions: impl IntoIterator<Item = Completion>) -> zot_storage::Result<()> {
    overtaken(completions, async |_, _, _| {}).await
}

/// The same, while something happens to the upload, of which the state is known that it had after its first 6 MiB.
async fn overtaken(
    completions: impl IntoIterator<Item = Completion>,
    meanwhile: impl AsyncFnOnce(S3Blobs, UploadId, Bytes),
) -> zot_storage::Result<()> {
    let server = shared().await;
    let proxy = Proxy::plain(&server.endpoint()).await;
    let direct = config(&server.endpoint());
    let proxied = storage::S3 { region_endpoint: Some(proxy.address.clone()), ..direct.clone() };
    let (store, other) = (open(&proxied).await, open(&direct).await);
    let (bytes, upload) = (content(7 << 20), UploadId::random());
    let mut staged = store.stage(upload).await.unwrap();
    staged.write(vec![bytes.slice(..6 << 20)]).await.unwrap();
    staged.flush().await.unwrap();
    let meanwhile = meanwhile(other.clone(), upload, staged.state());
    staged.write(vec![bytes.slice(6 << 20..)]).await.unwrap();
    proxy.cuts.completions(completions);
    let key = key(&bytes);
    let (place, ()) = tokio::join!(staged.commit(&key), meanwhile);
    assert!(read(&other, &BlobAddress { key, place: place? }, bytes.len()).await == bytes);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_completion_was_not_answered_is_a_blob() {
    needs_server!("faults::an_upload_whose_completion_was_not_answered_is_a_blob");
    completed([Completion::Lost]).await.unwrap();
    completed([Completion::Lost, Completion::Unknown]).await.unwrap();
    completed([Completion::Dropped, Completion::Lost, Completion::Dropped, Completion::Unknown]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_completion_failed_is_completed_later() {
    needs_server!("faults::an_upload_whose_completion_failed_is_completed_later");
    let server = shared().await;
    let proxy = Proxy::plain(&server.endpoint()).await;
    let proxied = storage::S3 { region_endpoint: Some(proxy.address.clone()), ..config(&server.endpoint()) };
    let store = S3Blobs::open(&proxied, tried_twice()).await.unwrap();
    let bytes = content(7 << 20);
    for flushed in [0, 6 << 20] {
        for completions in [[Completion::Lost, Completion::Lost], [Completion::Dropped, Completion::Dropped]] {
            let mut staged = store.stage(UploadId::random()).await.unwrap();
            if flushed > 0 {
                staged.write(vec![bytes.slice(..flushed)]).await.unwrap();
                staged.flush().await.unwrap();
            }
            staged.write(vec![bytes.slice(flushed..)]).await.unwrap();
            proxy.cuts.completions(completions);
            let failed = staged.commit(&key(&bytes)).await;
            assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
            staged.truncate(flushed as u64).await.unwrap();
            staged.write(vec![bytes.slice(flushed..)]).await.unwrap();
            let place = staged.commit(&key(&bytes)).await.unwrap();
            assert!(read(&store, &BlobAddress { key: key(&bytes), place }, bytes.len()).await == bytes);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_gone_is_not_taken_for_a_blob() {
    needs_server!("faults::an_upload_that_is_gone_is_not_taken_for_a_blob");
    // It was dropped by somebody else, before or after a request that was not answered.
    for completions in [vec![Completion::Unknown], vec![Completion::Dropped, Completion::Unknown]] {
        let dropped = completed(completions).await.unwrap_err();
        assert!(error_chain(&dropped).contains("it is not there"), "{dropped:?}");
    }
    // It was completed by somebody else, with other bytes of the same size, or of another one.
    for (size, reason) in [(1 << 20, "with other bytes"), (2 << 20, "another size")] {
        let meeting = Arc::new(Barrier::new(2));
        let completions = [Completion::Held(meeting.clone()), Completion::Unknown];
        let other = overtaken(completions, async |other, upload, state| {
            meeting.wait().await;
            let mut staged = other.resume(upload, 6 << 20, &state).await.unwrap().unwrap();
            staged.write(vec![vec![7; size].into()]).await.unwrap();
            staged.commit(&key(b"theirs")).await.unwrap();
            meeting.wait().await;
        });
        let other = other.await.unwrap_err();
        assert!(error_chain(&other).contains(reason), "{other:?}");
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", error_chain(source)))
}
