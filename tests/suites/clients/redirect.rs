//! Clients that are sent to S3 for the blobs of an image (`redirectBlobURL`), and follow.

use serde_json::json;
use zot_tests::{
    Sandbox,
    cluster::Services,
    content::{self, digest_of, media_type},
    skip::skip,
    wait,
};

use crate::{
    docker::Engine,
    layout::{Layout, archive},
    program::{Program, this_test},
};

/// Layers of this size are objects of their own, in bytes.
const LAYER_BYTES: usize = 300_000;

/// A registry that serves nothing but manifests and small blobs itself.
async fn registry() -> Option<Sandbox> {
    if let Err(reason) = Services::available() {
        skip(&this_test("redirect"), &reason);
        return None;
    }
    let driver = Services::shared().await.endpoints().storage_driver();
    let builder = Sandbox::builder().set("/storage/storageDriver", driver).set("/storage/remoteCache", false);
    Some(builder.set("/storage/redirectBlobURL", true).start().await)
}

/// A layout with the tag `v1` for an image with a layer that is large enough.
fn layout(program: &Program) -> Layout {
    let mut layout = Layout::create(program.home().join("source"));
    let archive = archive("content", &content::bytes(1, LAYER_BYTES));
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(&archive)]}});
    let config = layout.blob(media_type::CONFIG, config.to_string().as_bytes());
    let image = layout.manifest(&config, &layout.blob(media_type::LAYER, &archive));
    layout.tag("v1", &image);
    layout
}

/// Waits until the registry has said that it sent somebody to S3.
async fn somebody_was_redirected(registry: &Sandbox) {
    wait::until("somebody was sent to S3", async || registry.logs().text().contains("\"statusCode\":307")).await;
}

#[tokio::test]
async fn skopeo_pulls_an_image_by_way_of_s3() {
    let (Some(skopeo), Some(registry)) = (Program::find("skopeo"), registry().await) else { return };
    let (layout, back) = (layout(&skopeo), skopeo.home().join("back"));
    let (image, from) = (format!("docker://{}/a/b:v1", registry.address()), layout.path().display());
    skopeo.run(&format!("--insecure-policy copy -q --preserve-digests --dest-tls-verify=false oci:{from}:v1 {image}")).await;
    skopeo.run(&format!("--insecure-policy copy -q --preserve-digests --src-tls-verify=false {image} oci:{}:v1", back.display())).await;
    layout.assert_copied_to(&back);
    somebody_was_redirected(&registry).await;
}

#[tokio::test]
async fn crane_pulls_an_image_by_way_of_s3() {
    let (Some(crane), Some(registry)) = (Program::find("crane"), registry().await) else { return };
    let (layout, back) = (layout(&crane), crane.home().join("back"));
    let image = format!("{}/a/b:v1", registry.address());
    crane.run(&format!("push --insecure {} {image}", layout.path().display())).await;
    crane.run(&format!("pull --format oci {image} {}", back.display())).await;
    layout.assert_copied_to(&back);
    somebody_was_redirected(&registry).await;
}

#[tokio::test]
async fn docker_pulls_an_image_by_way_of_s3() {
    let (Some(skopeo), Some(engine)) = (Program::find("skopeo"), Engine::start().await) else { return };
    let Some(registry) = registry().await else { return };
    let layout = layout(&skopeo);
    let image = format!("{}/a/b:v1", registry.address());
    let from = layout.path().display();
    skopeo.run(&format!("--insecure-policy copy -q --preserve-digests --dest-tls-verify=false oci:{from}:v1 docker://{image}")).await;
    let pulled = engine.run(&format!("pull {image}")).await;
    assert!(pulled.contains(layout.digest("v1")), "{pulled}");
    somebody_was_redirected(&registry).await;
}
