//! Clients that are slow, or go away in the middle: what arrived is kept where it can be continued, and reclaimed where nobody does.

use std::{fs, io, time::Duration};

use futures::{StreamExt as _, future::join_all};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use zot_tests::{Client, Sandbox, content::bytes, digest_of, stall::unless_stalled, wait};

use crate::load::offset;

/// Uploads that are begun and never finished.
const ABORTED: u64 = 300;
/// What a client announces and does not send.
const MISSING: usize = 50_000;

/// Sends a request whose body ends early, and goes away. Fails if the registry goes first.
async fn break_off(sandbox: &Sandbox, method: &str, path: &str, body: &[u8]) -> io::Result<()> {
    let mut connection = TcpStream::connect(sandbox.address()).await?;
    let announced = body.len() + MISSING;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/octet-stream\r\ncontent-length: {announced}\r\n\r\n",
        sandbox.address()
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body).await?;
    connection.shutdown().await
}

#[tokio::test]
async fn a_chunk_that_breaks_off_keeps_what_arrived_and_goes_on() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    for (seed, first, arrived) in [(1, 0, 5_000), (2, 3_000, 200_000), (3, 150_000, 1_500_000)] {
        let content = bytes(seed, first + arrived + MISSING);
        let upload = client.start_upload("a").await;
        if first > 0 {
            client.append(&upload, 0, &content[..first]).await.expect(202);
        }
        break_off(&sandbox, "PATCH", &upload, &content[first..first + arrived]).await.unwrap();
        let kept = async || client.get(&upload).await.status == 204 && offset(&client.get(&upload).await) == first + arrived;
        wait::until("everything that arrived is acknowledged", kept).await;
        let digest = digest_of(&content);
        client.finish_upload(&upload, &digest, &content[first + arrived..]).await.expect(201);
        assert_eq!(client.get_blob("a", &digest).await.expect(200).body, content);
    }
}

#[tokio::test]
async fn the_end_of_an_upload_that_breaks_off_publishes_nothing_and_goes_on() {
    let mut sandbox = Sandbox::start().await;
    for (seed, arrived, restart) in [(1, 4_000, false), (2, 300_000, false), (3, 300_000, true)] {
        let client = sandbox.client();
        let content = bytes(seed, arrived + MISSING);
        let digest = digest_of(&content);
        let upload = client.start_upload("a").await;
        break_off(&sandbox, "PUT", &format!("{upload}?digest={digest}"), &content[..arrived]).await.unwrap();
        let kept = async || offset(&client.get(&upload).await.expect(204)) == arrived;
        wait::until("everything that arrived is acknowledged", kept).await;
        client.get_blob("a", &digest).await.expect(404);
        if restart {
            sandbox.restart().await;
        }
        sandbox.client().finish_upload(&upload, &digest, &content[arrived..]).await.expect(201);
        assert_eq!(sandbox.client().get_blob("a", &digest).await.expect(200).body, content);
    }
}

#[tokio::test]
async fn a_whole_blob_in_one_request_that_breaks_off_leaves_nothing() {
    let sandbox = Sandbox::start().await;
    let content = bytes(1, 1_000_000);
    let path = format!("/v2/a/blobs/uploads/?digest={}", digest_of(&content));
    break_off(&sandbox, "POST", &path, &content).await.unwrap();
    let empty = async || fs::read_dir(sandbox.root().join("_uploads")).unwrap().count() == 0;
    // The file appears first; a look before that would find nothing too.
    wait::until("the upload was logged", async || sandbox.logs().text().contains("/v2/a/blobs/uploads/")).await;
    wait::until("nothing is left of the upload", empty).await;
    sandbox.client().get_blob("a", &digest_of(&content)).await.expect(404);
}

#[tokio::test]
async fn aborted_uploads_expire_and_leave_nothing() {
    let sandbox = Sandbox::builder().set("/storage/uploadExpiry", "2s").start().await;
    let client = sandbox.client();
    let aborted = (0..ABORTED).map(|seed| {
        let (client, sandbox) = (&client, &sandbox);
        async move {
            let upload = client.start_upload("a").await;
            // Three hundred at a time may take longer to open than one of them is kept.
            match seed % 3 {
                0 => {}
                1 => assert!([202, 404].contains(&client.append(&upload, 0, &bytes(seed, 1000)).await.status.as_u16())),
                _ => drop(break_off(sandbox, "PATCH", &upload, &bytes(seed, 40_000)).await),
            }
            upload
        }
    });
    let uploads = join_all(aborted).await;
    for upload in &uploads {
        wait::until("the upload has expired", async || client.head(upload).await.status != 204).await;
        client.get(upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
    let empty = async || fs::read_dir(sandbox.root().join("_uploads")).unwrap().count() == 0;
    wait::until("no file is left", empty).await;
}

#[tokio::test]
async fn an_upload_that_is_slow_but_moves_does_not_expire() {
    let sandbox = Sandbox::builder().set("/storage/uploadExpiry", "1s").start().await;
    unless_stalled(Duration::from_millis(400), async || push_slowly(&sandbox.client()).await).await;
}

/// Pushes a blob by an upload that takes three times as long as one may rest.
async fn push_slowly(client: &Client) {
    let content = bytes(1, 40_000);
    let pieces: Vec<_> = content.chunks(4_000).map(bytes::Bytes::copy_from_slice).collect();
    let (sender, slow) = futures::channel::mpsc::channel(0);
    let trickling = tokio::spawn(
        futures::stream::iter(pieces)
            .then(async |piece| {
                // Slowness is what this is about.
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok(Ok(piece))
            })
            .forward(sender),
    );
    let upload = client.start_upload("a").await;
    let call = client.patch(&upload).header("content-type", "application/octet-stream").stream(slow);
    call.await.expect(202);
    trickling.await.unwrap().unwrap();
    client.finish_upload(&upload, &digest_of(&content), b"").await.expect(201);
}
