//! Blobs: whole, in parts, conditional.

use axum::body::Body;
use zot_contract::MemoryRegistry;
use zot_oci::Digest;

use crate::sandbox::{Fault, Reply, Sandbox, Scripted, wire::Wire};

const TEN: &str = "0123456789";

async fn with_ten() -> (Sandbox, String) {
    let sandbox = Sandbox::start().await;
    let digest = sandbox.push_blob("a/b", TEN).await;
    (sandbox, format!("/v2/a/b/blobs/{digest}"))
}

async fn ranged(sandbox: &Sandbox, path: &str, range: &str) -> Reply {
    sandbox.get_with(path, "range", range).await
}

#[tokio::test]
async fn a_blob_is_served_with_all_that_describes_it() {
    let (sandbox, path) = with_ten().await;
    let digest = Digest::sha256(TEN.as_bytes()).to_string();
    let reply = sandbox.get(&path).await;
    assert_eq!((reply.status, &reply.body[..]), (200, TEN.as_bytes()));
    for (name, value) in [
        ("content-length", "10"),
        ("content-type", "application/octet-stream"),
        ("docker-content-digest", digest.as_str()),
        ("etag", &format!("\"{digest}\"")),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(reply.header(name), value, "{name}");
    }
    assert_eq!(sandbox.get(&path.replace(':', "%3A")).await.status, 200);
}

#[tokio::test]
async fn who_wants_a_whole_blob_is_sent_where_it_is_and_all_else_is_served() {
    let sandbox = Sandbox::over(MemoryRegistry::with_blobs_elsewhere("https://bucket.example/a?sign=1&b=")).await;
    let digest = sandbox.push_blob("a/b", TEN).await;
    let path = format!("/v2/a/b/blobs/{digest}");
    let reply = sandbox.get(&path).await;
    assert_eq!((reply.status, reply.body.len()), (307, 0));
    assert_eq!(reply.header("location"), format!("https://bucket.example/a?sign=1&b={digest}"));
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    assert_eq!(reply.header("content-length"), "0");
    assert_eq!(sandbox.call("HEAD", &path).await.status, 200);
    assert_eq!(ranged(&sandbox, &path, "bytes=0-").await.status, 206);
    assert_eq!(ranged(&sandbox, &path, "").await.status, 416);
    assert_eq!(sandbox.get_with(&path, "if-none-match", &format!("\"{digest}\"")).await.status, 304);
    let request = sandbox.request("GET", &path).header("range", "bytes=0-3").header("if-range", "\"other\"").body(Body::empty()).unwrap();
    let reply = sandbox.send(request).await;
    assert_eq!((reply.status, &reply.body[..]), (200, TEN.as_bytes()), "a range that does not apply");
    let unknown = path.replace("a/b", "other");
    assert_eq!(sandbox.get(&unknown).await.refusal(), (404, "NAME_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn a_blob_is_of_its_repository_only() {
    let (sandbox, path) = with_ten().await;
    sandbox.push_blob("other", "x").await;
    let elsewhere = path.replace("a/b", "other");
    assert_eq!(sandbox.get(&elsewhere).await.refusal(), (404, "BLOB_UNKNOWN".to_owned()));
    assert_eq!(sandbox.call("HEAD", &elsewhere).await.status, 404);
    let nowhere = path.replace("a/b", "absent");
    assert_eq!(sandbox.get(&nowhere).await.refusal(), (404, "NAME_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn parts_of_a_blob_can_be_had() {
    let (sandbox, path) = with_ten().await;
    for (range, content_range, content) in [
        ("bytes=0-", "bytes 0-9/10", TEN),
        ("bytes=0-100", "bytes 0-9/10", TEN),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=2-4", "bytes 2-4/10", "234"),
        ("bytes=9-9", "bytes 9-9/10", "9"),
        ("bytes=0-1,2-3", "bytes 0-3/10", "0123"),
    ] {
        let reply = ranged(&sandbox, &path, range).await;
        assert_eq!((reply.status, reply.header("content-range")), (206, content_range), "{range}");
        assert_eq!(reply.body, content, "{range}");
        assert_eq!(reply.header("content-length"), content.len().to_string());
        assert_eq!(reply.header("content-type"), "application/octet-stream");
    }
}

#[tokio::test]
async fn several_parts_come_in_one_response() {
    let (sandbox, path) = with_ten().await;
    let reply = ranged(&sandbox, &path, "bytes=0-1,4-6").await;
    assert_eq!(reply.status, 206);
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    assert_eq!(reply.header("content-range"), "");
    let boundary = reply.header("content-type").strip_prefix("multipart/byteranges; boundary=").unwrap();
    let expected = ["bytes 0-1/10\r\n\r\n01", "bytes 4-6/10\r\n\r\n456"]
        .map(|part| format!("\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: {part}"));
    assert_eq!(reply.body, format!("{}\r\n--{boundary}--\r\n", expected.concat()));
}

#[tokio::test]
async fn ranges_without_sense_are_refused() {
    let (sandbox, path) = with_ten().await;
    let many = format!("bytes={}", "0-0,".repeat(17));
    for range in ["", "=0", "byte=0", "bytes=", "bytes=-0", "bytes=1-0", "bytes=100-100", "bytes=10-", "x", &many] {
        let reply = ranged(&sandbox, &path, range).await;
        assert_eq!((reply.status, reply.header("content-range")), (416, "bytes */10"), "{range}");
    }
    let empty = sandbox.push_blob("a/b", "").await;
    let reply = ranged(&sandbox, &format!("/v2/a/b/blobs/{empty}"), "bytes=0-").await;
    assert_eq!((reply.status, reply.header("content-range")), (416, "bytes */0"));
    assert_eq!(sandbox.get(&format!("/v2/a/b/blobs/{empty}")).await.header("content-length"), "0");
}

#[tokio::test]
async fn a_range_is_for_the_content_it_was_meant_for() {
    let (sandbox, path) = with_ten().await;
    let digest = Digest::sha256(TEN.as_bytes());
    for (if_range, status) in
        [(format!("\"{digest}\""), 206), ("\"other\"".to_owned(), 200), ("Wed, 21 Oct 2015 07:28:00 GMT".to_owned(), 200)]
    {
        let request = sandbox.request("GET", &path).header("range", "bytes=0-1").header("if-range", if_range);
        assert_eq!(sandbox.send(request.body(Body::empty()).unwrap()).await.status, status);
    }
}

#[tokio::test]
async fn a_blob_that_is_known_is_not_sent_again() {
    let (sandbox, path) = with_ten().await;
    let tag = format!("\"{}\"", Digest::sha256(TEN.as_bytes()));
    let reply = sandbox.get_with(&path, "if-none-match", &tag).await;
    assert_eq!((reply.status, reply.header("etag"), reply.body.len()), (304, tag.as_str(), 0));
    assert_eq!(sandbox.get_with(&path, "if-none-match", "\"x\"").await.status, 200);
    let elsewhere = path.replace("a/b", "absent");
    assert_eq!(sandbox.get_with(&elsewhere, "if-none-match", &tag).await.status, 404);
}

#[tokio::test]
async fn blobs_can_be_deleted_unless_needed() {
    let (sandbox, path) = with_ten().await;
    assert_eq!(sandbox.call("DELETE", &path).await.status, 202);
    assert_eq!(sandbox.call("DELETE", &path).await.refusal(), (404, "BLOB_UNKNOWN".to_owned()));
    assert_eq!(sandbox.get(&path).await.status, 404);
    sandbox.push_image("a/b", "v1").await;
    let config = format!("/v2/a/b/blobs/{}", Digest::sha256(b"{}"));
    assert_eq!(sandbox.call("DELETE", &config).await.refusal(), (405, "DENIED".to_owned()));
}

#[tokio::test]
async fn a_blob_that_ends_early_breaks_the_connection() {
    let sandbox = Sandbox::over(Scripted::new(Fault::ShortBlobs)).await;
    let digest = sandbox.push_blob("a", TEN).await;
    let mut wire = Wire::connect(sandbox.address).await;
    wire.send(format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    let answer = String::from_utf8(wire.read_to_end().await).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    assert!(body.len() < TEN.len() && !head.contains("content-length: 1\r\n"), "{answer}");
}
