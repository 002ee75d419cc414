//! Requests that no honest client sends.

use crate::sandbox::{Sandbox, wire::Wire};

async fn answer(sandbox: &Sandbox, request: &str) -> String {
    let mut wire = Wire::connect(sandbox.address).await;
    wire.send(request.replace('\n', "\r\n")).await;
    String::from_utf8(wire.read_to_end().await).unwrap()
}

#[tokio::test]
async fn tricks_in_paths_reach_nothing() {
    let sandbox = Sandbox::start().await;
    for path in [
        "/v2/../../etc/passwd",
        "/v2/a/../../b/blobs/uploads/",
        "/v2/%2e%2e/%2e%2e/manifests/x",
        "/v2/..%2f..%2fetc/manifests/x",
        "/v2/a%00b/tags/list",
        "/v2/a/manifests/%2e%2e%2f%2e%2e",
        "/v2/a/blobs/sha256:..%2f..%2fetc%2fpasswd",
        "/v2/a\\..\\b/tags/list",
        "/v2/%",
        "/v2/a//b/tags/list",
        "http://other/v2/a/../b/tags/list",
        "*",
    ] {
        let answer = answer(&sandbox, &format!("GET {path} HTTP/1.1\nHost: x\nConnection: close\n\n")).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["400", "404"].contains(&status), "{path}: {answer}");
    }
}

#[tokio::test]
async fn absurd_lengths_are_refused() {
    let sandbox = Sandbox::start().await;
    let upload = sandbox.open_upload("a").await;
    for (lines, status) in [
        ("Content-Length: 99999999999999999999", "400"),
        ("Content-Length: 18446744073709551615", "431"),
        ("Content-Length: -1", "400"),
        ("Content-Length: 5\nContent-Length: 6", "400"),
        ("Content-Range: 0-18446744073709551615\nContent-Length: 1", "400"),
        ("Content-Range: 18446744073709551614-18446744073709551615\nContent-Length: 2", "416"),
    ] {
        let request = format!("PATCH {upload} HTTP/1.1\nHost: x\nConnection: close\n{lines}\n\nxy");
        let answer = answer(&sandbox, &request).await;
        let found = answer.split(' ').nth(1).unwrap_or_default();
        assert!(found == status || (found.starts_with('4') && !lines.contains("Range")), "{lines}: {answer}");
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let sandbox = Sandbox::start().await;
    let long = format!("GET /v2/?{} HTTP/1.1\nHost: x\n\n", "a".repeat(40_000));
    let header = format!("GET /v2/ HTTP/1.1\nHost: x\nX: {}\n\n", "a".repeat(40_000));
    let many = format!("GET /v2/ HTTP/1.1\nHost: x\n{}\n", "X: a\n".repeat(200));
    for request in [long, header, many] {
        let answer = answer(&sandbox, &request).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}

#[tokio::test]
async fn smuggled_requests_are_not_answered() {
    let sandbox = Sandbox::start().await;
    let request = "POST /v2/ HTTP/1.1\nHost: x\nContent-Length: 3\nTransfer-Encoding: chunked\n\n0\n\nGET /livez HTTP/1.1\nHost: x\n\n";
    let answer = answer(&sandbox, request).await;
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let sandbox = Sandbox::start().await;
    for junk in ["\u{16}\u{3}\u{1}junk\n\n", "GET\n\n", "GET / HTTP/9.9\n\n", "PRI * HTTP/2.0\n\nXX\n\n"] {
        let answer = answer_lossy(&sandbox, junk).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
}

async fn answer_lossy(sandbox: &Sandbox, request: &str) -> String {
    let mut wire = Wire::connect(sandbox.address).await;
    wire.send(request.replace('\n', "\r\n")).await;
    String::from_utf8_lossy(&wire.read_to_end().await).into_owned()
}

#[tokio::test]
async fn deep_and_ambiguous_manifests_are_refused() {
    let sandbox = Sandbox::start().await;
    let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let both = r#"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},"layers":[],"manifests":[]}"#;
    for manifest in [deep.as_str(), both] {
        assert_eq!(sandbox.push_manifest("a", "x", manifest).await.refusal(), (400, "MANIFEST_INVALID".to_owned()));
    }
}
