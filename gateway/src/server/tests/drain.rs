//! How a server ends.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpStream, sync::Notify};

use crate::{
    http::Stage,
    sandbox::{Fault, Sandbox, Scripted, Setup, wire::Wire},
    server::{Drained, ServerOptions},
};

/// A server whose manifests are held back.
async fn held(drain_timeout: Duration) -> (Sandbox, Arc<Notify>, Arc<Notify>) {
    let registry = Scripted::new(Fault::Held);
    let (entered, released) = (Arc::clone(&registry.entered), Arc::clone(&registry.released));
    let setup =
        Setup { registry: Arc::new(registry), server: ServerOptions { drain_timeout, ..ServerOptions::default() }, ..Setup::default() };
    (Sandbox::with(setup).await, entered, released)
}

async fn ask(sandbox: &Sandbox) -> Wire {
    let mut wire = Wire::connect(sandbox.address).await;
    wire.send("GET /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    wire
}

#[tokio::test]
async fn requests_under_way_are_finished() {
    let (sandbox, entered, released) = held(Duration::from_secs(20)).await;
    let mut wire = ask(&sandbox).await;
    entered.notified().await;
    sandbox.stop();
    while sandbox.gateway.health().stage() != Stage::Draining || TcpStream::connect(sandbox.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    released.notify_one();
    let answer = String::from_utf8(wire.read_to_end().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert_eq!(sandbox.stopped().await, Drained { cut: 0 });
}

#[tokio::test]
async fn requests_under_way_are_finished_over_http2_too() {
    let (sandbox, entered, released) = held(Duration::from_secs(20)).await;
    let sandbox = sandbox.over_http2();
    let (reply, ()) = tokio::join!(sandbox.get("/v2/a/manifests/v1"), async {
        entered.notified().await;
        sandbox.stop();
        while sandbox.gateway.health().stage() != Stage::Draining {
            tokio::task::yield_now().await;
        }
        released.notify_one();
    });
    assert_eq!(reply.status, 404);
    assert_eq!(sandbox.stopped().await, Drained { cut: 0 });
}

#[tokio::test]
async fn requests_that_take_too_long_are_cut() {
    let (sandbox, entered, _released) = held(Duration::from_millis(50)).await;
    let mut wire = ask(&sandbox).await;
    entered.notified().await;
    sandbox.stop();
    assert!(wire.read_to_end().await.is_empty());
    assert_eq!(sandbox.stopped().await, Drained { cut: 1 });
}

#[tokio::test]
async fn idle_connections_do_not_hold_the_server() {
    let sandbox = Sandbox::start().await;
    let mut idle = Wire::connect(sandbox.address).await;
    idle.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    idle.read_until("ok").await;
    let mut silent = Wire::connect(sandbox.address).await;
    sandbox.stop();
    assert!(idle.read_to_end().await.is_empty());
    assert!(silent.read_to_end().await.is_empty());
    assert_eq!(sandbox.stopped().await, Drained { cut: 0 });
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let sandbox = Sandbox::start().await;
    let address = sandbox.address.to_string();
    let again = crate::server::Server::bind(&address, None, Arc::clone(&sandbox.gateway), &ServerOptions::default()).await;
    assert_eq!(again.unwrap_err().to_string(), format!("listen on {address}"));
}
