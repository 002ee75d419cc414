//! Blobs: whole, in parts, conditional, deleted (distribution-spec, "Pulling blobs", "Deleting Blobs"; RFC 9110 sections 13 and 14).

use zot_tests::{Client, Image, content, digest_of, in_both_shapes};

async fn pushed(client: &Client, length: usize) -> (String, Vec<u8>) {
    let bytes = content::bytes(1, length);
    (client.push_blob("a", &bytes).await, bytes)
}

in_both_shapes!(a_blob_is_served_as_it_was_pushed, |registry| async move {
    let client = registry.client();
    for bytes in [b"".as_slice(), b"{}", &content::bytes(1, 3_000_000)] {
        let digest = client.push_blob("a/b/c", bytes).await;
        let reply = client.get_blob("a/b/c", &digest).await.expect(200);
        assert!(reply.body == bytes);
        assert_eq!(reply.header("docker-content-digest"), digest);
        assert_eq!(reply.header("content-length"), bytes.len().to_string());
        let reply = client.head(&format!("/v2/a/b/c/blobs/{digest}")).await.expect(200);
        assert_eq!(reply.header("content-length"), bytes.len().to_string());
        assert_eq!(reply.header("docker-content-digest"), digest);
        assert!(reply.body.is_empty());
    }
});

in_both_shapes!(a_range_of_a_blob_is_served_alone, |registry| async move {
    let client = registry.client();
    let (digest, bytes) = pushed(&client, 2048).await;
    for (range, first, end) in [
        ("bytes=500-1499", 500, 1500),
        ("bytes=500-", 500, 2048),
        ("bytes=-500", 1548, 2048),
        ("bytes=2000-5000", 2000, 2048),
        ("bytes=0-0", 0, 1),
        ("bytes=-9999", 0, 2048),
    ] {
        let reply = client.get_blob("a", &digest).header("range", range).await.expect(206);
        assert!(reply.body == bytes[first..end], "{range}");
        assert_eq!(reply.header("content-range"), format!("bytes {first}-{}/2048", end - 1), "{range}");
        assert_eq!(reply.header("content-length"), (end - first).to_string(), "{range}");
    }
});

in_both_shapes!(a_range_that_cannot_be_served_is_416_with_the_size, |registry| async move {
    let client = registry.client();
    let (digest, _) = pushed(&client, 10).await;
    for range in ["", "=0", "byte=0", "bytes=", "bytes=-0", "bytes=1-0", "bytes=100-100", "bytes=99999999999999999999-"] {
        let reply = client.get_blob("a", &digest).header("range", range).await.expect(416);
        assert_eq!(reply.header("content-range"), "bytes */10", "{range:?}");
    }
});

in_both_shapes!(several_ranges_come_in_several_parts, |registry| async move {
    let client = registry.client();
    let digest = client.push_blob("a", b"0123456789").await;
    let reply = client.get_blob("a", &digest).header("range", "bytes=0-1,4-6").await.expect(206);
    assert!(reply.header("content-type").starts_with("multipart/byteranges; boundary="));
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    for part in ["Content-Range: bytes 0-1/10\r\n\r\n01\r\n", "Content-Range: bytes 4-6/10\r\n\r\n456\r\n"] {
        assert!(reply.text().contains(part), "{part:?} in {}", reply.text());
    }
});

in_both_shapes!(who_has_a_blob_already_is_not_sent_it_again, |registry| async move {
    let client = registry.client();
    let (digest, bytes) = pushed(&client, 100).await;
    let tag = client.get_blob("a", &digest).await.expect(200).header("etag").to_owned();
    assert_ne!(tag, "");
    let reply = client.get_blob("a", &digest).header("if-none-match", &tag).await.expect(304);
    assert!(reply.body.is_empty());
    assert!(client.get_blob("a", &digest).header("if-none-match", "\"other\"").await.expect(200).body == bytes);
    // A download that is continued after the content changed starts over; content under a digest never changes.
    let continued = client.get_blob("a", &digest).header("range", "bytes=50-");
    assert!(continued.header("if-range", &tag).await.expect(206).body == bytes[50..]);
    let other = client.get_blob("a", &digest).header("range", "bytes=50-");
    assert!(other.header("if-range", "\"other\"").await.expect(200).body == bytes);
});

in_both_shapes!(a_deleted_blob_is_gone_from_its_repository_only, |registry| async move {
    let client = registry.client();
    let (digest, _) = pushed(&client, 100).await;
    client.push_blob("a", b"so that a stays").await;
    client.push_blob("b", &content::bytes(1, 100)).await;
    client.delete(&format!("/v2/a/blobs/{digest}")).await.expect(202);
    client.get_blob("a", &digest).await.expect_error(404, "BLOB_UNKNOWN");
    client.head(&format!("/v2/a/blobs/{digest}")).await.expect(404);
    client.delete(&format!("/v2/a/blobs/{digest}")).await.expect(404);
    client.get_blob("b", &digest).await.expect(200);
    // And it can come back.
    pushed(&client, 100).await;
    client.get_blob("a", &digest).await.expect(200);
});

in_both_shapes!(a_blob_that_a_manifest_needs_is_not_deleted, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    let digest = client.push_image("a", "latest", &image).await;
    let layer = digest_of(&image.layers[0]);
    client.delete(&format!("/v2/a/blobs/{layer}")).await.expect_error(405, "DENIED");
    client.get_blob("a", &layer).await.expect(200);
    client.delete(&format!("/v2/a/manifests/{digest}")).await.expect(202);
    client.delete(&format!("/v2/a/blobs/{layer}")).await.expect(202);
});

in_both_shapes!(a_blob_of_one_repository_is_unknown_to_another, |registry| async move {
    let client = registry.client();
    let (digest, _) = pushed(&client, 100).await;
    client.push_blob("b", b"so that b exists").await;
    for range in [None, Some("bytes=0-1")] {
        let get = client.get_blob("b", &digest);
        let get = if let Some(range) = range { get.header("range", range) } else { get };
        get.await.expect_error(404, "BLOB_UNKNOWN");
        client.head(&format!("/v2/b/blobs/{digest}")).await.expect(404);
    }
});

in_both_shapes!(digests_in_a_path_may_be_escaped, |registry| async move {
    let client = registry.client();
    let (digest, bytes) = pushed(&client, 100).await;
    assert!(client.get_blob("a", &digest.replace(':', "%3A")).await.expect(200).body == bytes);
});

in_both_shapes!(an_empty_blob_has_a_length_over_http_2_too, |registry| async move {
    let digest = registry.client().push_blob("a", b"").await;
    for client in [registry.client(), Client::http2(&registry.url())] {
        let reply = client.get_blob("a", &digest).await.expect(200);
        assert_eq!((reply.header("content-length"), reply.body.len()), ("0", 0));
    }
});
