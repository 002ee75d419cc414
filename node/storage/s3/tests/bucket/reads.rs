//! Reading through a network that breaks off.

use bytes::Bytes;
use futures::TryStreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use zot_oci::ByteRange;
use zot_storage::{
    BlobAddress, Error,
    blobs::{BlobStore, PIECE_BYTES},
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
        store.read(&at, bytes.len() as u64, ByteRange::whole(2 << 20).unwrap()).await.unwrap().try_collect().await.unwrap();
    assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES));
    assert!(pieces.concat() == bytes);
    assert_eq!(store.calls().since(&before).get, 6);

    proxy.cuts.cut(1, 100_000);
    let part = ByteRange::new(1_000, 1_000_000).unwrap();
    let pieces: Vec<Bytes> = store.read(&at, bytes.len() as u64, part).await.unwrap().try_collect().await.unwrap();
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
    let read = async { store.read(&at, 1 << 20, ByteRange::whole(1 << 20).unwrap()).await?.try_collect::<Vec<Bytes>>().await };
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
    let url = store.presigned(&at, std::time::Duration::from_secs(1200)).await.unwrap();
    assert_eq!(store.calls(), before);
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let asked = |path: &str| format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let ask = async |request: String| {
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    };
    assert!(ask(asked(path)).await.ends_with(&bytes));
    assert!(ask(asked(path.split('?').next().unwrap())).await.starts_with(b"HTTP/1.1 403"));
    assert_eq!(read(&store, &at, 1000).await, bytes);
}
