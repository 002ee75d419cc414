//! Crane, the client of most build tools written in Go.

use zot_tests::Sandbox;

use crate::{
    layout::{Layout, Packing},
    program::Program,
};

#[tokio::test]
async fn an_image_is_pushed_validated_and_pulled() {
    let Some(crane) = Program::find("crane") else { return };
    let registry = Sandbox::start().await;
    let layout = Layout::with_image(crane.home().join("source"), "v1");
    let image = format!("{}/a/b:v1", registry.address());
    crane.run(&format!("push --insecure {} {image}", layout.path().display())).await;
    assert_eq!(crane.run(&format!("digest {image}")).await.trim(), layout.digest("v1"));
    crane.run(&format!("validate --remote {image}")).await;
    let back = crane.home().join("back");
    crane.run(&format!("pull --format oci {image} {}", back.display())).await;
    layout.assert_copied_to(&back);
}

#[tokio::test]
async fn images_are_made_an_index_and_copied() {
    let Some(crane) = Program::find("crane") else { return };
    let registry = Sandbox::start().await;
    let at = registry.address();
    for (seed, architecture) in [(1, "amd64"), (2, "arm64")] {
        let mut layout = Layout::create(crane.home().join(architecture));
        let image = layout.image(seed, architecture, Packing::Gzip);
        layout.tag("v1", &image);
        crane.run(&format!("push {} {at}/{architecture}:v1", layout.path().display())).await;
    }
    crane.run(&format!("index append -m {at}/amd64:v1 -m {at}/arm64:v1 -t {at}/all:v1")).await;
    let digest = crane.run(&format!("digest {at}/all:v1")).await;
    crane.run(&format!("copy {at}/all:v1 {at}/copied/all:v2")).await;
    assert_eq!(crane.run(&format!("digest {at}/copied/all:v2")).await, digest);
    let config = crane.run(&format!("config --platform linux/arm64 {at}/copied/all:v2")).await;
    assert!(config.contains(r#""architecture":"arm64""#), "{config}");
    crane.run(&format!("validate --remote {at}/copied/all:v2")).await;
}

#[tokio::test]
async fn names_are_listed_and_deleted() {
    let Some(crane) = Program::find("crane") else { return };
    let registry = Sandbox::start().await;
    let at = registry.address();
    let layout = Layout::with_image(crane.home().join("source"), "v1");
    crane.run(&format!("push {} {at}/a/b:v1", layout.path().display())).await;
    crane.run(&format!("tag {at}/a/b:v1 latest")).await;
    assert_eq!(crane.run(&format!("ls {at}/a/b")).await, "latest\nv1\n");
    assert_eq!(crane.run(&format!("catalog {at}")).await.trim(), "a/b");
    crane.run(&format!("delete {at}/a/b:latest")).await;
    assert_eq!(crane.run(&format!("ls {at}/a/b")).await, "v1\n");
    crane.run(&format!("delete {at}/a/b@{}", layout.digest("v1"))).await;
    assert_eq!(crane.run(&format!("ls {at}/a/b")).await, "");
    let told = crane.refused(&format!("manifest {at}/a/b:v1")).await;
    assert!(told.contains("MANIFEST_UNKNOWN"), "{told}");
}
