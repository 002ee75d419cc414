//! SIGTERM: what is under way is finished, nothing new is begun, and the process is gone within the time to drain.

use std::time::{Duration, Instant};

use futures::future::join_all;
use zot_tests::{Image, Sandbox, digest_of, sandbox::Signal, wait};

use crate::wire::{Wire, status};

/// What a machine that has much else to do may add to any time.
const FOR_THE_MACHINE: Duration = Duration::from_secs(60);

/// A push of a blob of which a half is sent.
struct Push {
    wire: Wire,
    content: String,
}

impl Push {
    async fn begin(sandbox: &Sandbox, repository: &str) -> Self {
        let content = "x".repeat(100_000);
        let upload = sandbox.client().start_upload(repository).await;
        let mut wire = Wire::open(sandbox).await;
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

/// Has the process end, and waits until it lets nobody in any more.
async fn begin_to_end(sandbox: &Sandbox) {
    sandbox.signal(Signal::TERM);
    wait::until("nobody is let in any more", async || sandbox.client().get("/readyz").try_send().await.is_err()).await;
}

#[tokio::test]
async fn a_push_under_way_is_finished() {
    let mut sandbox = Sandbox::start().await;
    let push = Push::begin(&sandbox, "a").await;
    begin_to_end(&sandbox).await;
    let digest = push.end().await;
    assert!(sandbox.ended().await.success());
    sandbox.restart().await;
    assert_eq!(digest_of(&sandbox.client().get_blob("a", &digest).await.expect(200).body), digest);
}

#[tokio::test]
async fn pushes_under_way_are_finished_by_a_member_of_a_cluster_through_its_own_plane_and_others() {
    let mut members: Vec<Sandbox> = (0..2).map(|_| Sandbox::builder().prepare()).collect();
    let addresses: Vec<String> = members.iter().map(|member| member.address().to_string()).collect();
    for member in &mut members {
        member.set("/cluster/members", addresses.clone());
        member.set("/cluster/hashKey", "loremipsumdolors");
        member.spawn();
    }
    for member in &mut members {
        member.ready().await;
    }
    let repositories: Vec<String> = (0..8).map(|number| format!("team-{number}/app")).collect();
    let pushes = join_all(repositories.iter().map(|repository| Push::begin(&members[0], repository))).await;
    begin_to_end(&members[0]).await;
    join_all(pushes.into_iter().map(Push::end)).await;
    assert!(members[0].ended().await.success());
    assert!(members[1].terminate().await.success());
}

#[tokio::test]
async fn a_client_that_never_finishes_does_not_hold_it_up() {
    for (signal, seconds) in [(Signal::TERM, 10), (Signal::INT, 2)] {
        let mut sandbox = Sandbox::builder().set("/http/limits/drainTimeout", format!("{seconds}s")).start().await;
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
        // That is the promise; the rest is for a machine under load.
        assert!(took < Duration::from_secs(seconds) + FOR_THE_MACHINE, "{took:?}");
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
