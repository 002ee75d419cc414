//! Clients that make the server wait.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http_body_util::BodyExt as _;
use zot_contract::{Registry, suite::Client};
use zot_oci::Digest;
use zot_services::stall::unless_stalled;

use crate::{
    http::Options,
    sandbox::{Fault, Sandbox, Scripted, Setup, wire::Wire},
    server::ServerOptions,
};

/// Long enough for a busy machine to answer in, short enough to wait for.
const SHORT: Duration = Duration::from_millis(500);

fn impatient() -> Setup {
    Setup {
        options: Options { body_progress: SHORT, ..Options::default() },
        server: ServerOptions { header_read_timeout: SHORT, write_progress: SHORT, ..ServerOptions::default() },
        ..Setup::default()
    }
}

#[tokio::test]
async fn a_connection_without_a_request_is_cut() {
    let sandbox = Sandbox::with(impatient()).await;
    for silence in ["", "GE", "GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow:"] {
        let mut wire = Wire::connect(sandbox.address).await;
        wire.send(silence).await;
        assert!(wire.read_to_end().await.is_empty(), "{silence:?}");
    }
    let mut wire = Wire::connect(sandbox.address).await;
    wire.send("PRI * HTTP/2.0\r\n").await;
    wire.read_to_end().await;
}

#[tokio::test]
async fn a_second_request_must_complete_its_head_too() {
    unless_stalled(SHORT / 2, async || {
        let sandbox = Sandbox::with(impatient()).await;
        let mut wire = Wire::connect(sandbox.address).await;
        wire.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(wire.read_until("ok").await.starts_with("HTTP/1.1 200"));
        wire.send("GET /livez HTTP/1.1\r\n").await;
        assert!(wire.read_to_end().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    unless_stalled(SHORT / 2, async || {
        let mut setup = impatient();
        setup.server.keep_alive_timeout = SHORT;
        let sandbox = Sandbox::with(setup).await;
        let mut wire = Wire::connect(sandbox.address).await;
        wire.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(wire.read_until("ok").await.starts_with("HTTP/1.1 200"));
        assert!(wire.read_to_end().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up_and_what_came_is_kept() {
    unless_stalled(SHORT / 2, async || {
        let sandbox = Sandbox::with(impatient()).await;
        let upload = sandbox.open_upload("a").await;
        let mut wire = Wire::connect(sandbox.address).await;
        wire.send(format!("PATCH {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")).await;
        let answer = String::from_utf8(wire.read_to_end().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
        assert_eq!(sandbox.get(&upload).await.header("range"), "0-4");
    })
    .await;
}

#[tokio::test]
async fn a_slow_body_may_take_as_long_as_it_moves() {
    unless_stalled(SHORT / 2, async || {
        let mut setup = Setup::default();
        setup.options.body_progress = 4 * SHORT;
        let sandbox = Sandbox::with(setup).await;
        let upload = sandbox.open_upload("a").await;
        let mut wire = Wire::connect(sandbox.address).await;
        wire.send(format!("PATCH {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n")).await;
        // In all longer than one wait may last.
        for _ in 0..6 {
            tokio::time::sleep(SHORT).await;
            wire.send("x".repeat(100)).await;
        }
        let head = wire.read_head().await;
        assert!(head.starts_with("http/1.1 202"), "{head}");
    })
    .await;
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up_and_what_came_is_kept() {
    unless_stalled(SHORT / 2, async || {
        let mut setup = Setup::default();
        setup.options.body_progress = 2 * SHORT;
        let sandbox = Sandbox::with(setup).await;
        let upload = sandbox.open_upload("a").await;
        let mut wire = Wire::connect(sandbox.address).await;
        wire.send(format!("PATCH {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")).await;
        while !wire.answers_within(SHORT / 5).await {
            wire.send("x").await;
        }
        let answer = String::from_utf8(wire.read_to_end().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("at least 100 are expected"), "{answer}");
        assert_ne!(sandbox.get(&upload).await.header("range"), "0-0");
    })
    .await;
}

/// More than sockets hold.
const LARGE_BYTES: usize = 64 << 20;

/// The server alone is impatient, and the blob was there before: nobody is hurried while it is pushed.
async fn with_a_large_blob() -> (Sandbox, Digest) {
    let setup = Setup { server: impatient().server, ..Setup::default() };
    let registry: Arc<dyn Registry> = Arc::clone(&setup.registry);
    let digest = Client::new(&registry, "a").push_blob(vec![b'x'; LARGE_BYTES]).await;
    (Sandbox::with(setup).await, digest)
}

#[tokio::test]
async fn a_response_that_nobody_takes_is_cut() {
    unless_stalled(SHORT / 2, async || {
        let (sandbox, digest) = with_a_large_blob().await;
        let mut wire = Wire::connect(sandbox.address).await;
        wire.send(format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        wire.read_head().await;
        tokio::time::sleep(5 * SHORT).await;
        assert!(wire.read_to_end().await.len() < LARGE_BYTES);
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_http2_that_nobody_takes_is_cut_too() {
    unless_stalled(SHORT / 2, async || {
        let (sandbox, digest) = with_a_large_blob().await;
        let sandbox = sandbox.over_http2();
        let request = sandbox.request("GET", &format!("/v2/a/blobs/{digest}")).body(Body::empty()).unwrap();
        let response = sandbox.respond(request).await;
        assert_eq!(response.status(), 200);
        tokio::time::sleep(5 * SHORT).await;
        assert!(response.into_body().collect().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_response_that_takes_long_to_make_is_waited_for() {
    unless_stalled(SHORT / 2, async || {
        let mut setup = impatient();
        setup.registry = Arc::new(Scripted::new(Fault::StuckBlobs));
        let sandbox = Sandbox::with(setup).await;
        let digest = sandbox.push_blob("a", "content").await;
        let mut wire = Wire::connect(sandbox.address).await;
        wire.send(format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert!(wire.read_until("\r\n\r\nx").await.starts_with("HTTP/1.1 200"));
        let cut = tokio::time::timeout(5 * SHORT, wire.read_to_end()).await;
        assert!(cut.is_err(), "the storage is slow, not the client");
    })
    .await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let mut setup = Setup::default();
    setup.server.connections_max = 1;
    let sandbox = Sandbox::with(setup).await;
    let mut first = Wire::connect(sandbox.address).await;
    let mut second = Wire::connect(sandbox.address).await;
    first.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    first.read_until("ok").await;
    second.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(tokio::time::timeout(SHORT, second.read_head()).await.is_err());
    drop(first);
    assert!(second.read_until("ok").await.contains("200"));
}
