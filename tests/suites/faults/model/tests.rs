//! The check is tested too: it must not let pass what is broken.

use std::fs;

use zot_tests::{Client, Image, Sandbox, content::bytes, digest_of};

use super::{Fact, Model, check};

/// What a check that must fail says.
async fn complaint(model: &Model, client: &Client) -> String {
    let (model, client) = (model.clone(), client.clone());
    let checking = tokio::spawn(async move { check(&model, &client).await });
    let panic = checking.await.expect_err("the check lets pass what is broken").into_panic();
    *panic.downcast::<String>().expect("a message")
}

fn acknowledged(model: &Model, fact: Fact, digest: &str) {
    model.begin([(fact, Some(digest.to_owned()))]).acknowledged();
}

#[tokio::test]
async fn the_check_misses_no_tag_manifest_blob_or_byte() {
    let sandbox = Sandbox::builder().tolerate_errors("request failed").start().await;
    let client = sandbox.client();
    let image = Image::with_layers(1, vec![bytes(1, 100_000)]);
    let (digest, layer) = (client.push_image("a", "v", &image).await, digest_of(&image.layers[0]));
    let model = Model::default();
    for fact in [Fact::manifest("a", &digest), Fact::tag("a", "v")] {
        acknowledged(&model, fact, &digest);
    }
    check(&model, &client).await;

    for fact in [Fact::tag("a", "w"), Fact::manifest("a", &layer), Fact::blob("b", &layer)] {
        acknowledged(&model, fact.clone(), &layer);
        assert!(complaint(&model, &client).await.contains(&fact.to_string()));
        model.forget(|known| *known == fact);
    }
    client.put_manifest("a", "unknown", &image.manifest).await.expect(201);
    assert!(complaint(&model, &client).await.contains("tags of a"));
    client.delete("/v2/a/manifests/unknown").await.expect(202);
    check(&model, &client).await;

    let hex = &layer["sha256:".len()..];
    fs::write(sandbox.root().join("_blobs/sha256").join(&hex[..2]).join(hex), vec![0; 100_000]).unwrap();
    assert!(complaint(&model, &client).await.contains("not whole"));
}

#[tokio::test]
async fn the_check_tells_a_tag_that_went_back_from_one_that_may_have_moved() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let (old, new) = (Image::small(1), Image::small(2));
    let model = Model::default();
    for image in [&new, &old] {
        client.push_image("a", "v", image).await;
        acknowledged(&model, Fact::manifest("a", &image.digest()), &image.digest());
    }
    acknowledged(&model, Fact::tag("a", "v"), &old.digest());
    let moving = model.begin([(Fact::tag("a", "v"), Some(new.digest()))]);
    check(&model, &client).await;
    moving.acknowledged();
    acknowledged(&model, Fact::tag("a", "v"), &new.digest());
    assert!(complaint(&model, &client).await.contains("tag v of a"));
}
