//! Limits that an operator can set hold as they are set, and the memory that transfers take has one too.

use std::{io, time::Duration};

use bytes::Bytes;
use futures::{Stream, future::join_all, stream};
use http_body_util::BodyExt as _;
use zot_tests::{Client, Image, content, digest_of, in_both_shapes, shapes::Shape};

use crate::wire::{Wire, status};

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
        let mut wire = Wire::open(&registry).await;
        for _ in 0..3 {
            wire.send("GET /v2/ HTTP/1.1\r\nHost: r\r\n\r\n").await;
            assert_eq!(status(&wire.read_until("\r\n\r\n{}").await), 200);
        }
        assert_eq!(wire.read_to_end().await, "");
    }
);

in_both_shapes!(
    a_transfer_may_take_longer_than_the_wait_for_its_next_bytes,
    |settings| settings.set("/http/readTimeout", "1s"),
    |registry| async move {
        let client = registry.client();
        let bytes = content::bytes(1, 20_000);
        let upload = client.start_upload("a").await;
        let slowly = paced(&bytes, Duration::from_millis(100));
        client.put(&format!("{upload}?digest={}", digest_of(&bytes))).stream(slowly).await.expect(201);
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
const PIECE: usize = 1024 * 1024;
const PIECES: u64 = 32;

/// Pushes a blob piece by piece without ever holding it, and gives its digest.
async fn push_large(client: &Client, seed: u64) -> String {
    let piece = Bytes::from(content::bytes(seed, PIECE));
    let digest = {
        let mut hash = content::Sha256::default();
        (0..PIECES).for_each(|_| hash.update(&piece));
        hash.digest()
    };
    let upload = client.start_upload("a").await;
    let pieces = stream::iter((0..PIECES).map(move |_| Ok(piece.clone())));
    client.put(&format!("{upload}?digest={digest}")).stream(pieces).await.expect(201);
    digest
}

/// Pulls a blob and forgets it piece by piece; gives its length.
async fn pull_large(client: &Client, digest: &str) -> u64 {
    let mut body = client.get_blob("a", digest).start().await.unwrap().into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().data_ref().map_or(0, |data| data.len() as u64);
    }
    length
}

in_both_shapes!(large_transfers_at_the_same_time_take_little_memory, |settings| settings, |registry| async move {
    let client = registry.client();
    let digests = join_all((0..TRANSFERS).map(|seed| push_large(&client, seed))).await;
    let lengths = join_all(digests.iter().map(|digest| pull_large(&client, digest))).await;
    assert!(lengths.into_iter().all(|length| length == PIECES * PIECE as u64));
    let peak = registry.memory_peak_bytes();
    // Enough for buffers and an unoptimised binary, too little for blobs. Between processes, each connection has windows of its own.
    let part = if registry.shape() == Shape::AllInOne { 4 } else { 2 };
    assert!(peak < TRANSFERS * PIECES * PIECE as u64 / part, "{peak} bytes at the peak");
});
