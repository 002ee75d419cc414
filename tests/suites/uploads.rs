//! Blobs on their way in, by every way that the specification has (distribution-spec, "Pushing blobs").

use bytes::Bytes;
use futures::stream;
use zot_tests::{Client, Reply, content, digest_of, in_both_shapes};

/// Ways to push a whole blob. Each gives the last reply, whatever it is.
#[derive(Debug, Clone, Copy)]
enum Way {
    PostThenPut,
    SinglePost,
    Chunked,
    ChunkedLastByPut,
    Streamed,
    StreamedByPut,
    /// As docker does it: one PATCH that says no range.
    WholePatch,
}

const WAYS: [Way; 7] =
    [Way::PostThenPut, Way::SinglePost, Way::Chunked, Way::ChunkedLastByPut, Way::Streamed, Way::StreamedByPut, Way::WholePatch];

impl Way {
    async fn push(self, client: &Client, digest: &str, bytes: &[u8]) -> Reply {
        if matches!(self, Way::SinglePost) {
            let call = client.post(&format!("/v2/a/blobs/uploads/?digest={digest}"));
            return call.header("content-type", "application/octet-stream").body(bytes.to_vec()).await;
        }
        let upload = client.start_upload("a").await;
        match self {
            Way::PostThenPut | Way::SinglePost => client.finish_upload(&upload, digest, bytes).await,
            Way::Chunked => {
                let (upload, _) = append_all(client, upload, bytes, bytes.len()).await;
                client.finish_upload(&upload, digest, b"").await
            }
            Way::ChunkedLastByPut => {
                let last = bytes.len() - bytes.len() / 3;
                let (upload, sent) = append_all(client, upload, bytes, last).await;
                let range = format!("{sent}-{}", bytes.len() - 1);
                client.finish_upload(&upload, digest, &bytes[sent..]).header("content-range", &range).await
            }
            Way::Streamed => {
                let reply = client.patch(&upload).stream(pieces(bytes)).await.expect(202);
                assert_eq!(reply.header("range"), format!("0-{}", bytes.len() - 1));
                client.finish_upload(&reply.location(), digest, b"").await
            }
            Way::WholePatch => {
                let upload = client.patch(&upload).body(bytes.to_vec()).await.expect(202).location();
                client.finish_upload(&upload, digest, b"").await
            }
            Way::StreamedByPut => client.put(&format!("{upload}?digest={digest}")).stream(pieces(bytes)).await,
        }
    }
}

/// Sends the first `end` bytes in three chunks; gives the upload's place and how much was sent.
async fn append_all(client: &Client, mut upload: String, bytes: &[u8], end: usize) -> (String, usize) {
    let mut sent = 0;
    for chunk in bytes[..end].chunks(end.div_ceil(3)) {
        let reply = client.append(&upload, sent, chunk).await.expect(202);
        sent += chunk.len();
        assert_eq!(reply.header("range"), format!("0-{}", sent - 1));
        upload = reply.location();
    }
    (upload, sent)
}

/// `bytes` as a body without a length.
fn pieces(bytes: &[u8]) -> impl futures::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let pieces: Vec<_> = bytes.chunks(1000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

in_both_shapes!(a_blob_can_be_pushed_in_every_way_under_either_algorithm, |registry| async move {
    let client = registry.client();
    for (seed, way) in WAYS.into_iter().enumerate() {
        let bytes = content::bytes(seed as u64, 10_000);
        for digest in [digest_of(&bytes), content::sha512_of(&bytes)] {
            client.get_blob("a", &digest).await.expect(404);
            let reply = way.push(&client, &digest, &bytes).await.expect(201);
            assert_eq!(reply.header("docker-content-digest"), digest, "{way:?}");
            let pulled = client.get(&reply.location()).await.expect(200);
            assert!(pulled.body == bytes, "{way:?}");
            client.delete(&format!("/v2/a/blobs/{digest}")).await.expect(202);
            client.get_blob("a", &digest).await.expect(404);
        }
    }
});

in_both_shapes!(content_that_does_not_hash_to_its_digest_is_refused_in_every_way, |registry| async move {
    let client = registry.client();
    for way in WAYS {
        for digest in [digest_of(b"something else"), content::sha512_of(b"something else")] {
            way.push(&client, &digest, &content::bytes(1, 10_000)).await.expect_error(400, "DIGEST_INVALID");
            client.get_blob("a", &digest).await.expect(404);
        }
    }
});

in_both_shapes!(a_digest_that_is_none_is_refused, |registry| async move {
    let client = registry.client();
    let upload = client.start_upload("a").await;
    for digest in ["sha256:baddigeststring", "md5:d41d8cd98f00b204e9800998ecf8427e", "", "sha256", "sha256:../../etc/passwd"] {
        client.finish_upload(&upload, digest, b"x").await.expect_error(400, "DIGEST_INVALID");
    }
    client.put(&upload).body("x").await.expect_error(400, "DIGEST_INVALID");
    client.post("/v2/a/blobs/uploads/?digest=sha256:bad").body("x").await.expect_error(400, "DIGEST_INVALID");
});

in_both_shapes!(the_algorithm_can_be_told_beforehand, |registry| async move {
    let client = registry.client();
    let bytes = content::bytes(1, 5000);
    for (algorithm, digest) in [("sha256", digest_of(&bytes)), ("sha512", content::sha512_of(&bytes))] {
        let upload = client.post(&format!("/v2/a/blobs/uploads/?digest-algorithm={algorithm}")).await.expect(202).location();
        let (upload, _) = append_all(&client, upload, &bytes, bytes.len()).await;
        client.finish_upload(&upload, &digest, b"").await.expect(201);
        assert!(client.get_blob("a", &digest).await.expect(200).body == bytes);
    }
    client.post("/v2/a/blobs/uploads/?digest-algorithm=md5").await.expect(400);
});

in_both_shapes!(a_chunk_out_of_order_is_416_and_the_client_can_recover, |registry| async move {
    let client = registry.client();
    let bytes = content::bytes(1, 3000);
    let mut upload = client.start_upload("a").await;
    for (sent, wrong) in [(0, 1000), (1000, 2000), (2000, 0)] {
        let refused = client.append(&upload, wrong, &bytes[wrong..wrong + 1000]).await.expect(416);
        upload = refused.location();
        let status = client.get(&upload).await.expect(204);
        assert_eq!(status.header("range"), format!("0-{}", usize::max(sent, 1) - 1));
        assert_ne!(status.header("docker-upload-uuid"), "");
        upload = client.append(&status.location(), sent, &bytes[sent..sent + 1000]).await.expect(202).location();
    }
    let late = client.finish_upload(&upload, &digest_of(&bytes), &bytes[..10]).header("content-range", "0-9").await;
    late.expect(416);
    client.finish_upload(&upload, &digest_of(&bytes), b"").await.expect(201);
});

in_both_shapes!(a_cancelled_upload_is_gone, |registry| async move {
    let client = registry.client();
    let upload = client.start_upload("a").await;
    client.append(&upload, 0, b"half of it").await.expect(202);
    client.delete(&upload).await.expect(204);
    client.get(&upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    client.append(&upload, 0, b"x").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    client.finish_upload(&upload, &digest_of(b"x"), b"x").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    client.delete(&upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
});

in_both_shapes!(an_upload_belongs_to_its_repository, |registry| async move {
    let client = registry.client();
    client.push_blob("b", b"so that b exists").await;
    let upload = client.start_upload("a").await.replace("/v2/a/", "/v2/b/");
    client.get(&upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    client.finish_upload(&upload, &digest_of(b"x"), b"x").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    client.delete(&upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
});

in_both_shapes!(an_upload_is_continued_where_the_connection_broke, |registry| async move {
    let client = registry.client();
    let bytes = content::bytes(1, 100_000);
    let upload = client.start_upload("a").await;
    client.append(&upload, 0, &bytes[..50_000]).await.expect(202);
    let broken = stream::iter([Ok(Bytes::from_static(b"lost")), Err(std::io::Error::other("the client goes away"))]);
    client.patch(&upload).stream(broken).try_send().await.unwrap_err();
    // What of the broken request counts is for the registry to say, and it says so.
    let mut status = client.get(&upload).await;
    zot_tests::wait::until("the broken request is over", async || {
        status = client.get(&upload).await;
        status.status == 204
    })
    .await;
    let kept: usize = status.header("range").strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1;
    assert!(kept == 50_000 || kept == 50_004, "{kept}");
    if kept == 50_000 {
        client.append(&upload, kept, &bytes[kept..]).await.expect(202);
        client.finish_upload(&upload, &digest_of(&bytes), b"").await.expect(201);
    }
});

in_both_shapes!(a_blob_is_mounted_from_the_repository_that_has_it, |registry| async move {
    let client = registry.client();
    let digest = client.push_blob("a", b"to be mounted").await;
    let reply = client.post(&format!("/v2/b/blobs/uploads/?mount={digest}&from=a")).await.expect(201);
    assert_eq!(reply.header("docker-content-digest"), digest);
    assert_eq!(client.get(&reply.location()).await.expect(200).text(), "to be mounted");
    // The mounted blob stands on its own.
    client.delete(&format!("/v2/a/blobs/{digest}")).await.expect(202);
    client.get_blob("b", &digest).await.expect(200);
});

in_both_shapes!(without_a_source_a_blob_is_mounted_from_wherever_it_is, |registry| async move {
    let client = registry.client();
    let bytes = content::bytes(1, 100_000);
    let digest = client.push_blob("a", &bytes).await;
    let reply = client.post(&format!("/v2/b/blobs/uploads/?mount={digest}")).await.expect(201);
    assert!(client.get(&reply.location()).await.expect(200).body == bytes);
});

in_both_shapes!(a_blob_that_cannot_be_mounted_is_to_be_uploaded, |registry| async move {
    let client = registry.client();
    client.push_blob("a", b"something").await;
    for from in ["&from=a", "&from=nowhere", "&from=NO_NAME", ""] {
        let bytes = format!("nobody has this {from}");
        let absent = digest_of(bytes.as_bytes());
        let upload = client.post(&format!("/v2/b/blobs/uploads/?mount={absent}{from}")).await.expect(202).location();
        client.finish_upload(&upload, &absent, bytes.as_bytes()).await.expect(201);
    }
    client.post("/v2/b/blobs/uploads/?mount=sha256:bad&from=a").await.expect_error(400, "DIGEST_INVALID");
});

in_both_shapes!(a_length_that_contradicts_the_range_is_refused, |registry| async move {
    let client = registry.client();
    let upload = client.start_upload("a").await;
    for range in ["0-1", "0-10", "5", "x-y", "3-1", "-1", "0-99999999999999999999"] {
        let reply = client.patch(&upload).header("content-range", range).body("four").await;
        assert!(reply.status.is_client_error(), "{range}: {}", reply.status);
    }
    assert_eq!(client.get(&upload).await.expect(204).header("range"), "0-0");
    client.append(&upload, 0, b"four").await.expect(202);
});
