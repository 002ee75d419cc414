//! Manifests, tags and what they need (distribution-spec, "Pushing Manifests", "Pulling manifests", "Deleting manifests").

use serde_json::json;
use zot_tests::{
    Image, Manifest,
    content::{self, descriptor, media_type},
    digest_of, in_both_shapes,
};

in_both_shapes!(a_manifest_is_served_byte_for_byte_by_tag_and_by_digest, |registry| async move {
    let client = registry.client();
    let mut image = Image::small(1);
    // Neither unusual white space nor fields of one's own are touched.
    image.manifest.bytes.splice(1..1, b"\n  \"x\" : [1.0, 1e3],".iter().copied());
    let digest = client.push_image("a", "latest", &image).await;
    for reference in ["latest", &digest] {
        let reply = client.get_manifest("a", reference).await.expect(200);
        assert!(reply.body == image.manifest.bytes);
        assert_eq!(reply.header("content-type"), media_type::MANIFEST);
        assert_eq!(reply.header("docker-content-digest"), digest);
        let reply = client.head(&format!("/v2/a/manifests/{reference}")).await.expect(200);
        assert_eq!(reply.header("content-length"), image.manifest.bytes.len().to_string());
        assert_eq!(reply.header("docker-content-digest"), digest);
        assert!(reply.body.is_empty());
    }
});

in_both_shapes!(what_a_client_accepts_changes_nothing, |registry| async move {
    let client = registry.client();
    client.push_image("a", "latest", &Image::small(1)).await;
    for accept in ["text/html", media_type::INDEX, "*/*", media_type::DOCKER_MANIFEST] {
        let reply = client.get_manifest("a", "latest").header("accept", accept).await.expect(200);
        assert_eq!(reply.header("content-type"), media_type::MANIFEST, "{accept}");
    }
});

in_both_shapes!(who_has_a_manifest_already_is_not_sent_it_again, |registry| async move {
    let client = registry.client();
    client.push_image("a", "latest", &Image::small(1)).await;
    let tag = client.get_manifest("a", "latest").await.header("etag").to_owned();
    client.get_manifest("a", "latest").header("if-none-match", &tag).await.expect(304);
    client.push_image("a", "latest", &Image::small(2)).await;
    client.get_manifest("a", "latest").header("if-none-match", &tag).await.expect(200);
});

in_both_shapes!(a_manifest_is_pushed_by_its_digest_with_many_tags, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    let digest = client.push_image("a", &image.digest(), &image).await;
    assert!(client.tags("a").await.is_empty());
    let tags: Vec<String> = (0..46).map(|number| format!("t{number:02}")).collect();
    let query = tags.iter().map(|tag| format!("tag={tag}")).collect::<Vec<_>>().join("&");
    let reply = client.put_manifest("a", &format!("{digest}?{query}"), &image.manifest).await.expect(201);
    assert_eq!(reply.all("oci-tag"), tags);
    assert_eq!(client.tags("a").await, tags);
    client.put_manifest("a", &format!("{digest}?{query}&tag=more"), &image.manifest).await.expect(414);
    let repeated = client.put_manifest("a", &format!("{digest}?tag=x&tag=x"), &image.manifest).await.expect(201);
    assert_eq!(repeated.all("oci-tag"), ["x"]);
    for wrong in [format!("{digest}?tag=a/b"), format!("{digest}?tag={}", "x".repeat(129)), "latest?tag=x".to_owned()] {
        client.put_manifest("a", &wrong, &image.manifest).await.expect_error(400, "MANIFEST_INVALID");
    }
    assert_eq!(client.tags("a").await.len(), 47);
});

in_both_shapes!(a_manifest_under_another_digest_is_refused, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    client.push_image("a", "latest", &image).await;
    let spaced = Manifest { bytes: [image.manifest.bytes.as_slice(), b"  "].concat(), ..image.manifest.clone() };
    client.put_manifest("a", &image.digest(), &spaced).await.expect_error(400, "DIGEST_INVALID");
    client.put_manifest("a", "sha256:baddigeststring", &spaced).await.expect_error(400, "DIGEST_INVALID");
    assert!(client.get_manifest("a", &image.digest()).await.expect(200).body == image.manifest.bytes);
});

in_both_shapes!(manifests_under_sha512_are_manifests_too, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    client.push_image("a", "plain", &image).await;
    let child = content::sha512_of(&image.manifest.bytes);
    client.put_manifest("a", &child, &image.manifest).await.expect(201);
    let child = json!({"mediaType": media_type::MANIFEST, "digest": child, "size": image.manifest.bytes.len()});
    let index = Manifest::index(&[child]);
    let digest = content::sha512_of(&index.bytes);
    let reply = client.put_manifest("a", &format!("{digest}?tag=strong"), &index).await.expect(201);
    assert_eq!(reply.header("docker-content-digest"), digest);
    assert_eq!(client.get_manifest("a", "strong").await.expect(200).header("docker-content-digest"), digest);
    assert!(client.get_manifest("a", &digest).await.expect(200).body == index.bytes);
});

in_both_shapes!(a_manifest_whose_blobs_are_absent_is_refused_and_names_them, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    client.put_manifest("a", "latest", &image.manifest).await.expect_error(400, "MANIFEST_BLOB_UNKNOWN");
    client.push_blob("a", &image.config).await;
    let reply = client.put_manifest("a", "latest", &image.manifest).await.expect_error(400, "MANIFEST_BLOB_UNKNOWN");
    assert!(reply.text().contains(&digest_of(&image.layers[0])), "{}", reply.text());
    client.get_manifest("a", "latest").await.expect(404);
    // A blob of another repository is none of this one's.
    client.push_blob("b", &image.layers[0]).await;
    client.put_manifest("a", "latest", &image.manifest).await.expect_error(400, "MANIFEST_BLOB_UNKNOWN");
    client.push_image("a", "latest", &image).await;
});

in_both_shapes!(layers_that_nobody_distributes_need_not_be_there, |registry| async move {
    let client = registry.client();
    let config = b"{}".to_vec();
    client.push_blob("a", &config).await;
    let foreign = descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", b"not pushed");
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type::MANIFEST,
        "config": descriptor(media_type::CONFIG, &config), "layers": [foreign]});
    client.put_manifest("a", "foreign", &Manifest::new(&manifest)).await.expect(201);
});

in_both_shapes!(an_index_may_be_sparse_empty_or_of_indexes, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    client.push_image("a", "image", &image).await;
    let absent = descriptor(media_type::MANIFEST, b"not pushed");
    let sparse = Manifest::index(&[image.manifest.descriptor(), absent]);
    client.put_manifest("a", "sparse", &sparse).await.expect(201);
    client.put_manifest("a", "nested", &Manifest::index(&[sparse.descriptor()])).await.expect(201);
    client.put_manifest("a", "empty", &Manifest::index(&[])).await.expect(201);
    for tag in ["sparse", "nested", "empty"] {
        assert_eq!(client.get_manifest("a", tag).await.expect(200).header("content-type"), media_type::INDEX);
    }
});

in_both_shapes!(descriptors_may_carry_data_and_manifests_no_layers, |registry| async move {
    let client = registry.client();
    let config = b"{}".to_vec();
    client.push_blob("a", &config).await;
    let mut described = descriptor(media_type::EMPTY, &config);
    described["data"] = "e30=".into();
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type::MANIFEST, "artifactType": "application/vnd.example",
        "config": described, "layers": []});
    client.put_manifest("a", "inline", &Manifest::new(&manifest)).await.expect(201);
});

in_both_shapes!(deleting_a_tag_keeps_the_manifest_and_deleting_the_manifest_takes_its_tags, |registry| async move {
    let client = registry.client();
    let digest = client.push_image("a", "one", &Image::small(1)).await;
    client.push_image("a", "two", &Image::small(1)).await;
    client.push_image("a", "other", &Image::small(2)).await;
    client.delete("/v2/a/manifests/one").await.expect(202);
    client.get_manifest("a", "one").await.expect_error(404, "MANIFEST_UNKNOWN");
    client.delete("/v2/a/manifests/one").await.expect(404);
    client.get_manifest("a", &digest).await.expect(200);
    assert_eq!(client.tags("a").await, ["other", "two"]);
    client.delete(&format!("/v2/a/manifests/{digest}")).await.expect(202);
    for reference in ["two", &digest] {
        client.get_manifest("a", reference).await.expect_error(404, "MANIFEST_UNKNOWN");
    }
    assert_eq!(client.tags("a").await, ["other"]);
});

in_both_shapes!(a_manifest_that_an_index_needs_is_not_deleted, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    let child = client.push_image("a", "child", &image).await;
    let index = Manifest::index(&[image.manifest.descriptor()]);
    client.put_manifest("a", "index", &index).await.expect(201);
    client.delete(&format!("/v2/a/manifests/{child}")).await.expect_error(405, "DENIED");
    client.delete("/v2/a/manifests/child").await.expect(202);
    client.get_manifest("a", &child).await.expect(200);
    client.delete(&format!("/v2/a/manifests/{}", index.digest())).await.expect(202);
    client.delete(&format!("/v2/a/manifests/{child}")).await.expect(202);
});

in_both_shapes!(a_tag_moves_to_the_manifest_pushed_last, |registry| async move {
    let client = registry.client();
    let first = client.push_image("a", "latest", &Image::small(1)).await;
    let second = client.push_image("a", "latest", &Image::small(2)).await;
    assert_eq!(client.get_manifest("a", "latest").await.header("docker-content-digest"), second);
    client.get_manifest("a", &first).await.expect(200);
    assert_eq!(client.tags("a").await, ["latest"]);
});

in_both_shapes!(manifests_of_other_types_and_sizes_are_refused, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    client.push_image("a", "latest", &image).await;
    for other in ["application/json", "text/plain", ""] {
        let manifest = Manifest { media_type: other.to_owned(), ..image.manifest.clone() };
        client.put_manifest("a", "other", &manifest).await.expect_error(415, "MANIFEST_INVALID");
    }
    let parameters = Manifest { media_type: format!("{}; charset=utf-8", media_type::MANIFEST), ..image.manifest.clone() };
    client.put_manifest("a", "parameters", &parameters).await.expect(201);
    client.put_manifest("a", "not a tag".replace(' ', "%20").as_str(), &image.manifest).await.expect_error(400, "MANIFEST_INVALID");
});

in_both_shapes!(a_manifest_of_4_mib_is_accepted_and_one_byte_more_is_not, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    client.push_image("a", "small", &image).await;
    let mut large = image.manifest.clone();
    large.bytes.resize(4 * 1024 * 1024, b' ');
    client.put_manifest("a", "large", &large).await.expect(201);
    assert!(client.get_manifest("a", "large").await.expect(200).body == large.bytes);
    large.bytes.push(b' ');
    client.put_manifest("a", "larger", &large).await.expect_error(413, "MANIFEST_INVALID");
});
