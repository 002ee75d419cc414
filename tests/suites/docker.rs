//! Docker's schema 2: refused, or accepted where `http.compat` says so.

use serde_json::json;
use zot_tests::{
    Client, Manifest,
    content::{descriptor, media_type},
    in_both_shapes,
};

const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
const LAYER: &[u8] = b"not really gzip";

fn image() -> Manifest {
    Manifest::new(&json!({"schemaVersion": 2, "mediaType": media_type::DOCKER_MANIFEST,
        "config": descriptor(media_type::DOCKER_CONFIG, CONFIG), "layers": [descriptor(media_type::DOCKER_LAYER, LAYER)]}))
}

fn list() -> Manifest {
    Manifest::new(&json!({"schemaVersion": 2, "mediaType": media_type::DOCKER_LIST, "manifests": [image().descriptor()]}))
}

async fn push_blobs(client: &Client) {
    client.push_blob("a", CONFIG).await;
    client.push_blob("a", LAYER).await;
}

in_both_shapes!(without_compat_docker_manifests_are_of_an_unsupported_type, |registry| async move {
    let client = registry.client();
    push_blobs(&client).await;
    for manifest in [image(), list()] {
        client.put_manifest("a", "latest", &manifest).await.expect_error(415, "MANIFEST_INVALID");
    }
});

in_both_shapes!(
    with_compat_docker_manifests_and_lists_are_kept_as_they_are,
    |settings| settings.set("/http/compat", serde_json::json!(["docker2s2"])),
    |registry| async move {
        let client = registry.client();
        client.put_manifest("a", "image", &image()).await.expect_error(400, "MANIFEST_BLOB_UNKNOWN");
        push_blobs(&client).await;
        for (tag, manifest) in [("image", image()), ("list", list())] {
            client.put_manifest("a", tag, &manifest).await.expect(201);
            let reply = client.get_manifest("a", tag).await.expect(200);
            assert_eq!(reply.header("content-type"), manifest.media_type);
            assert!(reply.body == manifest.bytes);
        }
        let claimed = Manifest { media_type: media_type::MANIFEST.to_owned(), ..image() };
        client.put_manifest("a", "claimed", &claimed).await.expect_error(400, "MANIFEST_INVALID");
    }
);
