//! Blobs that the system holds, to clients of every kind.

use axum::body::Body;
use http_body_util::BodyExt as _;
use zot_oci::Digest;

use crate::sandbox::{Fault, Sandbox, Scripted, wire::Wire};

/// Several pieces of every kind.
fn content() -> &'static str {
    let lines = (0..500_000).map(|line| format!("{line}\n")).collect::<String>();
    Box::leak(lines.into_boxed_str())
}

async fn sandbox(fault: Fault) -> (Sandbox, &'static str, Digest) {
    let sandbox = Sandbox::over(Scripted::new(fault)).await;
    let content = content();
    let digest = sandbox.push_blob("a", content).await;
    (sandbox, content, digest)
}

#[tokio::test]
async fn held_blobs_come_whole() {
    let (sandbox, content, digest) = sandbox(Fault::HeldBlobs).await;
    for _ in 0..3 {
        assert!(sandbox.get(&format!("/v2/a/blobs/{digest}")).await.body == content.as_bytes());
        let reply = sandbox.get_with(&format!("/v2/a/blobs/{digest}"), "range", "bytes=3-2999999").await;
        assert!(reply.body == content.as_bytes()[3..3_000_000]);
    }
}

#[tokio::test]
async fn held_blobs_come_whole_over_http2() {
    let (sandbox, content, digest) = sandbox(Fault::HeldBlobs).await;
    let sandbox = sandbox.over_http2();
    assert!(sandbox.get(&format!("/v2/a/blobs/{digest}")).await.body == content.as_bytes());
}

#[tokio::test]
async fn several_ranges_of_held_blobs_are_framed_in_memory() {
    let (sandbox, content, digest) = sandbox(Fault::HeldBlobs).await;
    let reply = sandbox.get_with(&format!("/v2/a/blobs/{digest}"), "range", "bytes=0-1999999,2500000-2599999").await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(text.contains(&content[..2_000_000]) && text.contains(&content[2_500_000..2_600_000]));
    assert!(text.len() < 2_101_000, "{}", text.len());
}

#[tokio::test]
async fn responses_in_a_row_do_not_mix() {
    let (sandbox, content, digest) = sandbox(Fault::HeldBlobs).await;
    let mut wire = Wire::connect(sandbox.address).await;
    let get = format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n");
    wire.send(format!("{get}\r\n{get}\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n{get}Connection: close\r\n\r\n")).await;
    let read = wire.read_to_end().await;
    let text = String::from_utf8(read).unwrap();
    assert_eq!(text.matches(content).count(), 3);
    assert!(text.len() < 3 * content.len() + 4000, "{}", text.len());
}

#[tokio::test]
async fn a_client_that_leaves_costs_nobody_else_anything() {
    let (sandbox, content, digest) = sandbox(Fault::HeldBlobs).await;
    for _ in 0..300 {
        let request = sandbox.request("GET", &format!("/v2/a/blobs/{digest}")).body(Body::empty()).unwrap();
        let mut body = sandbox.respond(request).await.into_body();
        body.frame().await.unwrap().unwrap();
    }
    assert!(sandbox.get(&format!("/v2/a/blobs/{digest}")).await.body == content.as_bytes());
}

#[tokio::test]
async fn a_file_that_ends_early_is_no_whole_response() {
    let (sandbox, content, digest) = sandbox(Fault::CutBlobs).await;
    let mut wire = Wire::connect(sandbox.address).await;
    wire.send(format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    let head = wire.read_head().await;
    assert!(head.contains(&format!("content-length: {}", content.len())), "{head}");
    let body = wire.read_to_end().await;
    assert!(body.len() <= content.len() / 2 && content.as_bytes().starts_with(&body));
}
