//! Regctl, the client of regclient: chunked uploads, referrers, and tags deleted by the specification's own request.

use std::fs;

use zot_tests::{Sandbox, wait};

use crate::{
    layout::{Layout, Packing},
    program::Program,
};

/// Regctl that speaks plain HTTP to a registry, and what else `options` say of it.
async fn regctl(registry: &Sandbox, options: &str) -> Option<Program> {
    Program::find("zstd")?;
    let regctl = Program::find("regctl")?;
    let settings = regctl.home().join("regctl.json");
    let regctl = regctl.environment("REGCTL_CONFIG", settings.display());
    regctl.run(&format!("registry set --tls disabled {options} {}", registry.address())).await;
    Some(regctl)
}

#[tokio::test]
async fn an_index_is_copied_in_and_out_with_its_digest() {
    let registry = Sandbox::start().await;
    let Some(regctl) = regctl(&registry, "").await else { return };
    let mut layout = Layout::create(regctl.home().join("source"));
    let images = [layout.image(1, "amd64", Packing::Gzip), layout.image(2, "arm64", Packing::Zstd)];
    let index = layout.index(&images);
    layout.tag("v1", &index);
    let remote = format!("{}/a/b:v1", registry.address());
    regctl.run(&format!("image copy ocidir://source:v1 {remote}")).await;
    assert_eq!(regctl.run(&format!("image digest {remote}")).await.trim(), layout.digest("v1"));
    regctl.run(&format!("image copy {remote} ocidir://back:v1")).await;
    layout.assert_copied_to(&regctl.home().join("back"));
}

#[tokio::test]
async fn blobs_are_uploaded_in_chunks() {
    let registry = Sandbox::start().await;
    let Some(regctl) = regctl(&registry, "--blob-chunk 4096 --blob-max 1").await else { return };
    let layout = Layout::with_image(regctl.home().join("source"), "v1");
    regctl.run(&format!("image copy ocidir://source:v1 {}/chunked:v1", registry.address())).await;
    let in_chunks = async || registry.logs().text().matches(r#""method":"PATCH""#).count() > 2;
    wait::until("more than two chunks are logged", in_chunks).await;
    regctl.run(&format!("image copy {}/chunked:v1 ocidir://back:v1", registry.address())).await;
    layout.assert_copied_to(&regctl.home().join("back"));
}

#[tokio::test]
async fn referrers_are_pushed_listed_and_copied() {
    let registry = Sandbox::start().await;
    let Some(regctl) = regctl(&registry, "").await else { return };
    Layout::with_image(regctl.home().join("source"), "v1");
    fs::write(regctl.home().join("signature"), "signed").expect("a file");
    let (image, copy) = (format!("{}/one:v1", registry.address()), format!("{}/other:v1", registry.address()));
    regctl.run(&format!("image copy ocidir://source:v1 {image}")).await;
    regctl.run(&format!("artifact put --artifact-type application/vnd.example.signature -f signature --subject {image}")).await;
    regctl.run(&format!("image copy --referrers {image} {copy}")).await;
    let listed = regctl.run(&format!("artifact list {copy}")).await;
    assert!(listed.contains("application/vnd.example.signature"), "{listed}");
    assert_eq!(
        regctl.run(&format!("artifact get --subject {copy} --filter-artifact-type application/vnd.example.signature")).await,
        "signed"
    );
}

#[tokio::test]
async fn a_tag_is_deleted_and_the_other_stays() {
    let registry = Sandbox::start().await;
    let Some(regctl) = regctl(&registry, "").await else { return };
    Layout::with_image(regctl.home().join("source"), "v1");
    let repository = format!("{}/a/b", registry.address());
    for tag in ["v1", "v2"] {
        regctl.run(&format!("image copy ocidir://source:v1 {repository}:{tag}")).await;
    }
    regctl.run(&format!("tag delete {repository}:v1")).await;
    assert_eq!(regctl.run(&format!("tag ls {repository}")).await, "v2\n");
    assert_eq!(regctl.run(&format!("repo ls {}", registry.address())).await, "a/b\n");
    regctl.run(&format!("manifest delete --force-tag-dereference {repository}:v2")).await;
    assert_eq!(regctl.run(&format!("tag ls {repository}")).await.trim(), "");
}
