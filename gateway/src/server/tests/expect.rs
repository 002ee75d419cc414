//! `Expect: 100-continue`, and bodies that are not wanted.

use crate::sandbox::{Sandbox, wire::Wire};

#[tokio::test]
async fn a_wanted_body_is_asked_for() {
    let sandbox = Sandbox::start().await;
    let upload = sandbox.open_upload("a").await;
    let mut wire = Wire::connect(sandbox.address).await;
    wire.send(format!("PATCH {upload} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")).await;
    assert_eq!(wire.read_head().await, "http/1.1 100 continue\r\n\r\n");
    wire.send("01234").await;
    let head = wire.read_head().await;
    assert!(head.starts_with("http/1.1 202") && head.contains("range: 0-4\r\n"), "{head}");
}

#[tokio::test]
async fn an_unwanted_body_is_not_asked_for() {
    let sandbox = Sandbox::start().await;
    let mut wire = Wire::connect(sandbox.address).await;
    let lines = "Host: x\r\nExpect: 100-continue\r\nContent-Length: 5000000000\r\nContent-Type: text/html";
    wire.send(format!("PUT /v2/a/manifests/v1 HTTP/1.1\r\n{lines}\r\n\r\n")).await;
    let answer = String::from_utf8(wire.read_to_end().await).unwrap().to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 415"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(answer.matches("http/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn the_answer_is_there_before_an_unwanted_body_is() {
    let sandbox = Sandbox::start().await;
    let mut wire = Wire::connect(sandbox.address).await;
    wire.send("PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nxx").await;
    assert!(wire.read_head().await.starts_with("http/1.1 415"));
    // The rest is read and dropped, and the connection goes on.
    wire.read_until("}]}").await;
    wire.send("x".repeat(998)).await;
    wire.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(wire.read_until("ok").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_endless_unwanted_body_ends_the_connection_after_the_answer() {
    let sandbox = Sandbox::start().await;
    let mut wire = Wire::connect(sandbox.address).await;
    wire.send("PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n").await;
    for _ in 0..16 {
        wire.send(vec![b'x'; 1024 * 1024]).await;
    }
    let answer = String::from_utf8(wire.read_to_end().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 415") || answer.is_empty(), "{answer}");
    assert_eq!(sandbox.get("/v2/").await.status, 200);
}
