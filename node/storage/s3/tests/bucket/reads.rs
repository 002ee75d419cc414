//! Reading through a network that breaks off.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use zot_oci::ByteRange;
use zot_services::wait;
use zot_storage::{
    BlobAddress, Error,
    blobs::{BlobStore, PIECE_BYTES, in_memory},
};

use crate::{
    proxy::Proxy,
    server::{config, content, key, needs_server, open, read, shared},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_taken_up() {
    needs_server!("reads::a_body_that_breaks_off_is_taken_up");
    let server = shared().await;
    let proxy = Proxy::plain(&server.endpoint()).await;
    let store = open(&config(&proxy.address)).await;
    let bytes = content(2 << 20);
    let at = BlobAddress::from(key(&bytes));
    store.put(&at.key, bytes.clone()).await.unwrap();
    let before = store.calls();
    proxy.cuts.cut(5, 300_000);
    let pieces: Vec<Bytes> =
        in_memory(store.read(&at, bytes.len() as u64, ByteRange::whole(2 << 20).unwrap()).await.unwrap()).try_collect().await.unwrap();
    assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES));
    assert!(pieces.concat() == bytes);
    assert_eq!(store.calls().since(&before).get, 6);

    proxy.cuts.cut(1, 100_000);
    let part = ByteRange::new(1_000, 1_000_000).unwrap();
    let pieces: Vec<Bytes> = in_memory(store.read(&at, bytes.len() as u64, part).await.unwrap()).try_collect().await.unwrap();
    assert!(pieces.concat() == bytes[1_000..=1_000_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_gets_on_is_given_up() {
    needs_server!("reads::a_body_that_never_gets_on_is_given_up");
    let server = shared().await;
    let proxy = Proxy::plain(&server.endpoint()).await;
    let store = open(&config(&proxy.address)).await;
    let bytes = content(1 << 20);
    let at = BlobAddress::from(key(&bytes));
    store.put(&at.key, bytes.clone()).await.unwrap();
    proxy.cuts.cut(usize::MAX, 10_000);
    let read = async { in_memory(store.read(&at, 1 << 20, ByteRange::whole(1 << 20).unwrap()).await?).try_collect::<Vec<Bytes>>().await };
    let failed = read.await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_url_needs_no_credentials() {
    needs_server!("reads::a_signed_url_needs_no_credentials");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let bytes = content(1000);
    let at = BlobAddress::from(key(&bytes));
    store.put(&at.key, bytes.clone()).await.unwrap();
    let before = store.calls();
    let url = store.url(&at, 1000, Duration::from_secs(1200)).await.unwrap().unwrap();
    assert_eq!((store.calls().since(&before).all(), store.calls().since(&before).head), (1, 1));
    assert!(ask(url.as_str()).await.ends_with(&bytes));
    assert!(is_refused(url.as_str().split('?').next().unwrap()).await);
    assert_eq!(read(&store, &at, 1000).await, bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_url_expires() {
    needs_server!("reads::a_signed_url_expires");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let bytes = content(1001);
    let at = BlobAddress::from(key(&bytes));
    store.put(&at.key, bytes.clone()).await.unwrap();
    let url = store.url(&at, 1001, Duration::from_secs(1)).await.unwrap().unwrap();
    wait::until("the URL has expired", async || is_refused(url.as_str()).await).await;
    assert_eq!(read(&store, &at, 1001).await, bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_url_for_what_is_not_there_or_cut() {
    needs_server!("reads::there_is_no_url_for_what_is_not_there_or_cut");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let bytes = content(1002);
    let at = BlobAddress::from(key(&bytes));
    let url = async || store.url(&at, 1002, Duration::from_secs(60)).await;
    assert!(matches!(url().await, Err(Error::Damaged { .. })));
    store.put(&at.key, bytes.slice(1..)).await.unwrap();
    assert!(matches!(url().await, Err(Error::Damaged { .. })));
    store.put(&at.key, bytes).await.unwrap();
    assert!(url().await.unwrap().is_some());
}

/// What the server answers to whoever has only a URL.
async fn ask(url: &str) -> Vec<u8> {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

async fn is_refused(url: &str) -> bool {
    ask(url).await.starts_with(b"HTTP/1.1 403")
}
