//! Clients that mean harm: they are refused clearly, they cost little, and others are served all the while.

use std::time::Duration;

use serde_json::json;
use zot_tests::{
    Image, Manifest, Registry,
    content::{self, descriptor, media_type},
    digest_of, in_both_shapes,
    stall::unless_stalled,
};

use crate::wire::{Wire, exchange, status};

/// What a registry may take in memory over all of one of these tests.
const MEMORY_BYTES_MAX: u64 = 192 * 1024 * 1024;

async fn still_well(registry: &Registry) {
    registry.client().push_image("well", "latest", &Image::small(9)).await;
    let peak = registry.memory_peak_bytes();
    assert!(peak < MEMORY_BYTES_MAX, "{peak} bytes at the peak");
}

in_both_shapes!(names_as_long_as_they_may_be_and_longer, |settings| settings.shared(), |registry| async move {
    let client = registry.client();
    let longest = vec!["a"; 128].join("/");
    client.push_image(&longest, &"t".repeat(128), &Image::small(1)).await;
    assert_eq!(client.catalog().await, [longest.as_str()]);
    client.get(&format!("/v2/{}/tags/list", "a".repeat(256))).await.expect_error(400, "NAME_INVALID");
    client.get(&format!("/v2/{}/tags/list", vec!["a"; 5000].join("/"))).await.expect_error(400, "NAME_INVALID");
    let answer = exchange(&registry, &format!("GET /v2/{}/tags/list", "a/".repeat(40_000)), "", "").await;
    assert!(answer.is_empty() || [400, 414, 431].contains(&status(&answer)), "{answer}");
    still_well(&registry).await;
});

in_both_shapes!(huge_numbers_allocate_nothing, |registry| async move {
    let client = registry.client();
    client.push_image("a", "latest", &Image::small(1)).await;
    for number in ["9223372036854775807", "18446744073709551615", "99999999999999999999999999"] {
        client.get(&format!("/v2/_catalog?n={number}")).await.expect(200);
        client.get(&format!("/v2/a/tags/list?n={number}")).await.expect(200);
        let digest = digest_of(&Image::small(1).config);
        client.get_blob("a", &digest).header("range", &format!("bytes=0-{number}")).await;
        client.get_blob("a", &digest).header("range", &format!("bytes={number}-")).await.expect(416);
    }
    still_well(&registry).await;
});

in_both_shapes!(many_ranges_are_not_many_times_the_blob, |registry| async move {
    let client = registry.client();
    let digest = client.push_blob("a", &content::bytes(1, 1_000_000)).await;
    let ranges = vec!["0-"; 3000].join(",");
    let reply = client.get_blob("a", &digest).header("range", &format!("bytes={ranges}")).await;
    assert!(reply.body.len() < 20_000_000, "{} bytes", reply.body.len());
    still_well(&registry).await;
});

in_both_shapes!(absurd_lengths_and_ranges_of_uploads_are_refused, |registry| async move {
    let client = registry.client();
    let upload = client.start_upload("a").await;
    for (length, range) in [
        ("4", "0-18446744073709551615"),
        ("4", "18446744073709551612-18446744073709551615"),
        ("4", "99999999999999999999999-999999999999999999999999"),
        ("-1", "0-3"),
        ("4x", "0-3"),
        ("99999999999999999999999999", "0-3"),
    ] {
        let headers = format!("Content-Length: {length}\r\nContent-Range: {range}\r\n");
        let answer = exchange(&registry, &format!("PATCH {upload}"), &headers, "four").await;
        assert!((400..500).contains(&status(&answer)), "{length} {range}: {answer}");
    }
    // A length that is possible but never comes: the connection ends, nothing was reserved and nothing is kept.
    let mut wire = Wire::open(&registry).await;
    wire.send(&format!("PATCH {upload} HTTP/1.1\r\nHost: r\r\nContent-Length: 9000000000000000000\r\n\r\nfour")).await;
    drop(wire);
    still_well(&registry).await;
});

in_both_shapes!(both_lengths_at_once_are_no_request, |registry| async move {
    let headers = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n";
    let answer = exchange(&registry, "POST /v2/a/blobs/uploads/", headers, "0\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: r\r\n\r\n").await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    let answer = exchange(&registry, "POST /v2/a/blobs/uploads/", "Content-Length: 4\r\nContent-Length: 5\r\n", "fours").await;
    assert_eq!(status(&answer), 400);
    still_well(&registry).await;
});

in_both_shapes!(manifests_that_confuse_are_refused, |registry| async move {
    let client = registry.client();
    client.push_blob("a", b"{}").await;
    let empty = descriptor(media_type::EMPTY, b"{}");
    let deep = format!(r#"{{"schemaVersion":2,"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let both = json!({"schemaVersion": 2, "mediaType": media_type::MANIFEST, "config": empty, "layers": [empty], "manifests": [empty]});
    let other_type = json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "config": empty, "layers": [empty]});
    let negative =
        json!({"schemaVersion": 2, "config": {"mediaType": media_type::EMPTY, "digest": digest_of(b"{}"), "size": -1}, "layers": []});
    let twice = r#"{"schemaVersion":2,"schemaVersion":1,"layers":[],"layers":[]}"#;
    let bodies = [
        deep.as_str(),
        &both.to_string(),
        &other_type.to_string(),
        &negative.to_string(),
        twice,
        "",
        "null",
        "[]",
        "{",
        "\u{feff}{}",
        r#"{"schemaVersion":1}"#,
        r#"{"schemaVersion":2,"config":"x","layers":{}}"#,
    ];
    for body in bodies {
        let manifest = Manifest { media_type: media_type::MANIFEST.to_owned(), bytes: body.as_bytes().to_vec() };
        let start = &body[..body.len().min(100)];
        let reply = client.put_manifest("a", "x", &manifest).await;
        assert_eq!((reply.status.as_u16(), reply.error_code().as_str()), (400, "MANIFEST_INVALID"), "{start}");
    }
    let image = Manifest { media_type: media_type::INDEX.to_owned(), ..Image::small(1).manifest };
    client.put_manifest("a", "x", &image).await.expect_error(400, "MANIFEST_INVALID");
    still_well(&registry).await;
});

in_both_shapes!(manifests_without_end_are_cut_at_the_limit, |registry| async move {
    let piece = bytes::Bytes::from(vec![b' '; 1024 * 1024]);
    let client = registry.client();
    let endless = futures::stream::iter((0..1000).map(move |_| Ok(piece.clone())));
    let sent = client.put("/v2/a/manifests/x").header("content-type", media_type::MANIFEST).stream(endless).try_send().await;
    // Either the answer or the end of the connection comes first; both end the sending.
    assert!(sent.is_err() || sent.is_ok_and(|reply| reply.status == 413));
    still_well(&registry).await;
});

in_both_shapes!(heads_without_measure_are_refused, |registry| async move {
    let client = registry.client();
    let digest = client.push_image("a", "latest", &Image::small(1)).await;
    for headers in [format!("X-Long: {}\r\n", "x".repeat(100_000)), "X-Many: x\r\n".repeat(5000)] {
        let answer = exchange(&registry, "GET /v2/", &headers, "").await;
        assert!(answer.is_empty() || [400, 431].contains(&status(&answer)), "{answer}");
    }
    let tags = "tag=x&".repeat(4000);
    let answer = exchange(&registry, &format!("PUT /v2/a/manifests/{digest}?{tags}"), "Content-Length: 0\r\n", "").await;
    assert!(answer.is_empty() || [400, 414, 415, 431].contains(&status(&answer)), "{answer}");
    still_well(&registry).await;
});

in_both_shapes!(
    clients_that_send_a_byte_now_and_then_are_cut,
    |settings| settings.set("/http/limits/headerReadTimeout", "500ms").set("/http/readTimeout", "1s"),
    |registry| async move {
        let (pause, bytes_max) = (Duration::from_millis(100), 300);
        let mut heads = Wire::open(&registry).await;
        heads.send("GET /v2/ HTTP/1.1\r\nX-Slow: ").await;
        assert!(heads.drip("a", pause, bytes_max).await < bytes_max, "a head that never ends");
        let mut silent = Wire::open(&registry).await;
        assert_eq!(silent.read_to_end().await, "", "a client that says nothing");
        let mut body = Wire::open(&registry).await;
        body.send("POST /v2/a/blobs/uploads/?digest=sha256:").await;
        body.send(&format!("{} HTTP/1.1\r\nHost: r\r\nContent-Length: 100\r\n\r\nten bytes.", "0".repeat(64))).await;
        let answer = body.read_to_end().await;
        assert!(answer.is_empty() || status(&answer) == 408, "{answer}");
        // Whoever stands still is one of those who are cut.
        unless_stalled(Duration::from_millis(250), async || still_well(&registry).await).await;
    }
);

in_both_shapes!(
    idle_clients_do_not_keep_others_out,
    |settings| settings.set("/http/limits/headerReadTimeout", "2s").set("/http/limits/connectionsMax", 64),
    |registry| async move {
        let mut idle = Vec::new();
        for _ in 0..64 {
            idle.push(Wire::open(&registry).await);
        }
        // They are let in again as soon as the idle ones are given up.
        unless_stalled(Duration::from_secs(1), async || still_well(&registry).await).await;
    }
);
