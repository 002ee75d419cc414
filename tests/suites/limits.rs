//! Limits that an operator can set hold as they are set, and the memory that transfers take has one too.

use std::{io, time::Duration};

use bytes::Bytes;
use futures::{Stream, future::join_all, stream};
use zot_tests::{
    Image, Sandbox, cluster::Services, content, digest_of, in_both_shapes, shapes::Shape, skip::skip, stall::unless_stalled, tell,
    transfers, wait,
};

use crate::wire::{Wire, status};

/// What the limits on time are set to here.
const SECOND: Duration = Duration::from_secs(1);

in_both_shapes!(the_largest_manifest_is_a_setting, |settings| settings.set("/http/limits/manifestBytesMax", 2000), |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    client.push_image("a", "small", &image).await;
    let mut large = image.manifest.clone();
    large.bytes.resize(2001, b' ');
    client.put_manifest("a", "large", &large).await.expect_error(413, "MANIFEST_INVALID");
    large.bytes.pop();
    client.put_manifest("a", "large", &large).await.expect(201);
});

in_both_shapes!(
    a_connection_that_idles_is_closed_and_one_in_use_is_kept,
    |settings| settings.set("/http/limits/keepAliveTimeout", "1s"),
    |registry| async move {
        unless_stalled(SECOND / 2, async || {
            let mut wire = Wire::open(&registry).await;
            for _ in 0..3 {
                wire.send("GET /v2/ HTTP/1.1\r\nHost: r\r\n\r\n").await;
                assert_eq!(status(&wire.read_until("\r\n\r\n{}").await), 200);
            }
            assert_eq!(wire.read_to_end().await, "");
        })
        .await;
    }
);

in_both_shapes!(
    a_transfer_may_take_longer_than_the_wait_for_its_next_bytes,
    |settings| settings.set("/http/readTimeout", "1s"),
    |registry| async move {
        unless_stalled(SECOND / 2, async || {
            let client = registry.client();
            let bytes = content::bytes(1, 20_000);
            let upload = client.start_upload("a").await;
            let slowly = paced(&bytes, SECOND / 10);
            client.put(&format!("{upload}?digest={}", digest_of(&bytes))).stream(slowly).await.expect(201);
        })
        .await;
    }
);

/// `bytes` in twenty pieces, one every `pause`.
fn paced(bytes: &[u8], pause: Duration) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let pieces: Vec<Bytes> = bytes.chunks(bytes.len().div_ceil(20)).map(Bytes::copy_from_slice).collect();
    stream::unfold((pieces.into_iter(), tokio::time::interval(pause)), async |(mut pieces, mut pace)| {
        pace.tick().await;
        Some((Ok(pieces.next()?), (pieces, pace)))
    })
}

const TRANSFERS: u64 = 16;
const PIECES: u64 = 32;

in_both_shapes!(large_transfers_at_the_same_time_take_little_memory, |settings| settings, |registry| async move {
    let client = registry.client();
    let digests = join_all((0..TRANSFERS).map(|seed| transfers::push(&client, "a", seed, PIECES))).await;
    let lengths = join_all(digests.iter().map(|digest| transfers::pull(&client, "a", digest))).await;
    assert!(lengths.into_iter().all(|length| length == PIECES * transfers::PIECE_BYTES as u64));
    let peak = registry.memory_peak_bytes();
    tell(&format!("{TRANSFERS} pushes and as many pulls in {:?}: {} MiB at the peak", registry.shape(), peak / MIB));
    // Enough for buffers and an unoptimised binary, too little for blobs. Between processes, each connection has windows of its own.
    let part = if registry.shape() == Shape::AllInOne { 3 } else { 2 };
    assert!(peak < TRANSFERS * PIECES * transfers::PIECE_BYTES as u64 / part, "{peak} bytes at the peak");
});

const MIB: u64 = 1 << 20;
/// How many transfers are under way at the same time with bytes in S3, and how much each upload has sent: together less than the budget.
const TRANSFERS_WITH_S3: usize = 200;
const SENT_BYTES: usize = 1 << 20;

/// What a process that is everything may take for uploads in S3 that have sent so much, and for as many downloads besides.
const UPLOADS_BYTES_MAX: u64 = 400 * MIB;
const ALL_BYTES_MAX: u64 = 500 * MIB;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_transfers_with_s3_take_bounded_memory() {
    if let Err(reason) = Services::available() {
        return skip("limits::two_hundred_transfers_with_s3_take_bounded_memory", &reason);
    }
    let driver = Services::shared().await.endpoints().storage_driver();
    let sandbox = Sandbox::builder().set("/storage/storageDriver", driver).set("/storage/remoteCache", false).start().await;
    let client = sandbox.client();
    let digest = transfers::push(&client, "app", 0, 16).await;

    let uploads = transfers::uploads_under_way(&client, "app", TRANSFERS_WITH_S3, SENT_BYTES).await;
    let all = (TRANSFERS_WITH_S3 * SENT_BYTES) as u64;
    wait::until("everything sent was taken in", async || sandbox.memory_peak_bytes() > all).await;
    let with_uploads = sandbox.memory_peak_bytes();
    let pulls = transfers::pulls_under_way(&client, "app", &digest, TRANSFERS_WITH_S3).await;
    let with_both = sandbox.memory_peak_bytes();
    assert_eq!((uploads.len(), pulls.len()), (TRANSFERS_WITH_S3, TRANSFERS_WITH_S3));
    let peaks = format!("{} MiB with uploads, {} MiB with downloads too", with_uploads / MIB, with_both / MIB);
    tell(&format!("two hundred transfers with S3: {peaks}"));
    assert!(with_uploads < UPLOADS_BYTES_MAX && with_both < ALL_BYTES_MAX, "{peaks}");
}

/// Connections that do nothing, of which most wait to be accepted.
const IDLE: usize = 150;

#[tokio::test]
async fn idle_connections_leave_descriptors_for_blobs() {
    let sandbox = Sandbox::builder().descriptors_max(160).start().await;
    let mut first = Wire::open(&sandbox).await;
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        let mut wire = Wire::open(&sandbox).await;
        wire.send("GET /v2/ HTTP/1.1\r\nHost: r\r\n\r\n").await;
        idle.push(wire);
    }
    let blob = "x".repeat(20 << 10);
    let (length, digest) = (blob.len(), digest_of(blob.as_bytes()));
    for _ in 0..3 {
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        first.send(&format!("POST {path} HTTP/1.1\r\nHost: r\r\nContent-Length: {length}\r\n\r\n{blob}")).await;
        assert_eq!(status(&first.read_until("\r\n\r\n").await), 201);
        first.send(&format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: r\r\n\r\n")).await;
        assert_eq!(status(&first.read_until(&blob).await), 200);
    }
    let said = async || sandbox.logs().text().contains("connectionsMax` is more than the limit on open files allows");
    wait::until("the setting is warned of", said).await;
}
