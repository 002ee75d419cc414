//! SIGTERM: what is under way is finished, nothing new is begun, and the process is gone within the time to drain.

use std::time::{Duration, Instant};

use futures::future::join_all;
use zot_tests::{
    Client, Cluster, Image, Sandbox,
    cluster::{prepare_members, start_members},
    digest_of,
    sandbox::Signal,
    wait,
};

use crate::wire::{Reach, Wire, status};

/// A push of a blob of which a half is sent.
struct Push {
    wire: Wire,
    content: String,
}

impl Push {
    async fn begin(to: &impl Reach, client: &Client, repository: &str) -> Self {
        let content = "x".repeat(100_000);
        let upload = client.start_upload(repository).await;
        let mut wire = Wire::open(to).await;
        let digest = digest_of(content.as_bytes());
        let head = format!("PUT {upload}?digest={digest} HTTP/1.1\r\nHost: r\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n");
        wire.send(&head).await;
        // It is under way: a request that nobody has read yet may meet a closed connection.
        wire.read_until("100 Continue\r\n\r\n").await;
        wire.send(&content[..50_000]).await;
        Self { wire, content }
    }

    /// Sends the rest, and returns the digest.
    async fn end(mut self) -> String {
        self.wire.send(&self.content[50_000..]).await;
        assert_eq!(status(&self.wire.read_until("\r\n\r\n").await), 201);
        digest_of(self.content.as_bytes())
    }
}

/// Waits until a process that is to end lets nobody in any more.
async fn nobody_is_let_in(client: impl Fn() -> Client) {
    wait::until("nobody is let in any more", async || client().get("/readyz").try_send().await.is_err()).await;
}

#[tokio::test]
async fn a_push_under_way_is_finished() {
    let mut sandbox = Sandbox::start().await;
    let push = Push::begin(&sandbox, &sandbox.client(), "a").await;
    sandbox.signal(Signal::TERM);
    nobody_is_let_in(|| sandbox.client()).await;
    let digest = push.end().await;
    assert!(sandbox.ended().await.success());
    sandbox.restart().await;
    assert_eq!(digest_of(&sandbox.client().get_blob("a", &digest).await.expect(200).body), digest);
}

#[tokio::test]
async fn pushes_under_way_are_finished_by_a_member_of_a_cluster_through_its_own_plane_and_others() {
    let mut members = prepare_members::<2>();
    start_members(&mut members).await;
    let repositories: Vec<String> = (0..8).map(|number| format!("team-{number}/app")).collect();
    let client = members[0].client();
    let pushes = join_all(repositories.iter().map(|repository| Push::begin(&members[0], &client, repository))).await;
    members[0].signal(Signal::TERM);
    nobody_is_let_in(|| members[0].client()).await;
    join_all(pushes.into_iter().map(Push::end)).await;
    assert!(members[0].ended().await.success());
    assert!(members[1].terminate().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_finishes_a_push_under_way_and_the_others_have_it() {
    let mut cluster = Cluster::builder().start().await;
    let gateway = &cluster.gateways()[0];
    let push = Push::begin(gateway, &gateway.client(), "a").await;
    gateway.signal(Signal::TERM);
    nobody_is_let_in(|| gateway.client()).await;
    let digest = push.end().await;
    let gone = cluster.gateway(0);
    wait::until("the gateway is gone", async || gone.has_ended()).await;
    assert_eq!(digest_of(&cluster.gateway(1).client().get_blob("a", &digest).await.expect(200).body), digest);
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
