//! SIGTERM: what is under way is finished, nothing new is begun, and the process is gone within ten seconds.

use std::time::{Duration, Instant};

use zot_tests::{Client, Cluster, Image, Sandbox, digest_of, sandbox::Signal, wait};

use crate::wire::{Reach, Wire, status};

/// Sends the first half of `content`, which is all of an upload.
async fn push_half(to: &impl Reach, client: &Client, content: &str) -> Wire {
    let upload = client.start_upload("a").await;
    let mut wire = Wire::open(to).await;
    let (digest, length) = (digest_of(content.as_bytes()), content.len());
    let head = format!("PUT {upload}?digest={digest} HTTP/1.1\r\nHost: r\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n");
    wire.send(&head).await;
    // It is under way: a request that nobody has read yet may meet a closed connection.
    wire.read_until("100 Continue\r\n\r\n").await;
    wire.send(&content[..length / 2]).await;
    wire
}

#[tokio::test]
async fn a_push_under_way_is_finished() {
    let mut sandbox = Sandbox::start().await;
    let content = "x".repeat(100_000);
    let mut wire = push_half(&sandbox, &sandbox.client(), &content).await;
    sandbox.signal(Signal::TERM);
    wait::until("nobody is let in any more", async || sandbox.client().get("/readyz").try_send().await.is_err()).await;
    wire.send(&content[50_000..]).await;
    assert_eq!(status(&wire.read_until("\r\n\r\n").await), 201);
    assert!(sandbox.ended().await.success());
    sandbox.restart().await;
    let digest = digest_of(content.as_bytes());
    assert!(sandbox.client().get_blob("a", &digest).await.expect(200).body == content.as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_finishes_a_push_under_way_and_the_others_have_it() {
    let mut cluster = Cluster::builder().start().await;
    let content = "x".repeat(100_000);
    let gateway = &cluster.gateways()[0];
    let mut wire = push_half(gateway, &gateway.client(), &content).await;
    gateway.signal(Signal::TERM);
    wait::until("nobody is let in any more", async || gateway.client().get("/readyz").try_send().await.is_err()).await;
    wire.send(&content[50_000..]).await;
    assert_eq!(status(&wire.read_until("\r\n\r\n").await), 201);
    let gone = cluster.gateway(0);
    wait::until("the gateway is gone", async || gone.has_ended()).await;
    let digest = digest_of(content.as_bytes());
    assert!(cluster.gateway(1).client().get_blob("a", &digest).await.expect(200).body == content.as_bytes());
}

#[tokio::test]
async fn a_client_that_never_finishes_does_not_hold_it_up() {
    for (signal, drain_seconds) in [(Signal::TERM, 10), (Signal::INT, 2)] {
        // Nothing else ends what is under way.
        let builder = Sandbox::builder().set("/http/readTimeout", "1h").set("/http/limits/headerReadTimeout", "1h");
        let mut sandbox = builder.set("/http/limits/drainTimeout", format!("{drain_seconds}s")).start().await;
        let client = sandbox.client();
        client.push_image("a", "latest", &Image::small(1)).await;
        let upload = client.start_upload("a").await;
        let mut wire = Wire::open(&sandbox).await;
        wire.send(&format!("PATCH {upload} HTTP/1.1\r\nHost: r\r\nContent-Length: 100\r\n\r\nten bytes.")).await;
        let idle = Wire::open(&sandbox).await;
        let begun = Instant::now();
        sandbox.signal(signal);
        assert!(sandbox.ended().await.success());
        let took = begun.elapsed();
        // So many seconds are the promise; the rest is for a machine under load.
        assert!(took < Duration::from_secs(drain_seconds) + wait::PATIENCE, "{took:?}");
        drop(idle);
    }
}

#[tokio::test]
async fn the_image_layouts_are_complete_when_it_has_stopped() {
    let mut sandbox = Sandbox::start().await;
    let client = sandbox.client();
    for number in 0..20 {
        client.push_image(&format!("r{number}"), "latest", &Image::small(number)).await;
    }
    assert!(sandbox.terminate().await.success());
    for number in 0..20 {
        let index = std::fs::read_to_string(sandbox.root().join(format!("r{number}/index.json"))).unwrap();
        assert!(index.contains(&Image::small(number).digest()), "{index}");
    }
}
