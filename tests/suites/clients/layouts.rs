//! What the registry keeps on disk is read by other programs: each repository is an OCI image layout.

use std::{fs, path::Path};

use serde_json::Value;
use zot_tests::{Sandbox, wait};

use crate::{
    layout::{Layout, Packing, file_content},
    program::Program,
};

/// Pushes the images `a` and `b`, and `all` for both together, to `repository`.
async fn push(skopeo: &Program, registry: &Sandbox, repository: &str) -> Layout {
    let mut layout = Layout::create(skopeo.home().join("source"));
    let images = [layout.image(1, "amd64", Packing::Gzip), layout.image(2, "arm64", Packing::Gzip)];
    let index = layout.index(&images);
    let [a, b] = images;
    for (tag, descriptor) in [("a", a), ("b", b), ("all", index)] {
        layout.tag(tag, &descriptor);
        let (from, to) = (of(layout.path(), tag), format!("docker://{}/{repository}:{tag}", registry.address()));
        skopeo.run(&format!("--insecure-policy copy -q --all --preserve-digests --dest-tls-verify=false {from} {to}")).await;
    }
    layout
}

fn both() -> Option<(Program, Program)> {
    Some((Program::find("skopeo")?, Program::find("umoci")?))
}

/// Waits until the repository's directory shows these tags: it follows what was acknowledged.
async fn shows(on_disk: &Path, tags: &[&str]) {
    wait::until("the layout shows what was pushed", async || {
        let index: Value =
            fs::read(on_disk.join("index.json")).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).expect("an index"));
        let entries = index["manifests"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut shown: Vec<&str> =
            entries.iter().filter_map(|entry| entry["annotations"]["org.opencontainers.image.ref.name"].as_str()).collect();
        shown.sort_unstable();
        shown == tags
    })
    .await;
}

fn of(layout: &Path, tag: &str) -> String {
    format!("oci:{}:{tag}", layout.display())
}

#[tokio::test]
async fn skopeo_reads_what_is_on_disk() {
    let Some(skopeo) = Program::find("skopeo") else { return };
    let registry = Sandbox::start().await;
    let layout = push(&skopeo, &registry, "some/where").await;
    let on_disk = registry.root().join("some/where");
    shows(&on_disk, &["a", "all", "b"]).await;
    for tag in ["a", "b", "all"] {
        let raw = skopeo.run(&format!("inspect --raw {}", of(&on_disk, tag))).await;
        assert_eq!(raw.as_bytes(), fs::read(layout.blob_path(layout.digest(tag))).expect("the manifest"), "{tag}");
    }
    let back = skopeo.home().join("back");
    skopeo.run(&format!("--insecure-policy copy -q --all --preserve-digests {} {}", of(&on_disk, "all"), of(&back, "all"))).await;
    layout.assert_copied_to(&back);
}

#[tokio::test]
async fn umoci_lists_and_unpacks_what_is_on_disk() {
    let Some((skopeo, umoci)) = both() else { return };
    let registry = Sandbox::start().await;
    push(&skopeo, &registry, "unpacked").await;
    let on_disk = registry.root().join("unpacked");
    shows(&on_disk, &["a", "all", "b"]).await;
    let listed = umoci.run(&format!("ls --layout {}", on_disk.display())).await;
    let mut tags: Vec<&str> = listed.split_whitespace().collect();
    tags.sort_unstable();
    assert_eq!(tags, ["a", "all", "b"]);
    let bundle = umoci.home().join("bundle");
    umoci.run(&format!("unpack --rootless --image {}:a {}", on_disk.display(), bundle.display())).await;
    assert!(fs::read(bundle.join("rootfs/content")).expect("the image's file") == file_content(1));
}

#[tokio::test]
async fn deleted_tags_are_gone_from_the_disk_too() {
    let Some((skopeo, umoci)) = both() else { return };
    let registry = Sandbox::start().await;
    push(&skopeo, &registry, "unpacked").await;
    let on_disk = registry.root().join("unpacked");
    shows(&on_disk, &["a", "all", "b"]).await;
    registry.client().delete("/v2/unpacked/manifests/a").await.expect(202);
    shows(&on_disk, &["all", "b"]).await;
    assert!(!umoci.run(&format!("ls --layout {}", on_disk.display())).await.split_whitespace().any(|tag| tag == "a"));
}

#[tokio::test]
async fn images_that_umoci_made_can_be_pushed_and_pulled() {
    let Some((skopeo, umoci)) = both() else { return };
    let registry = Sandbox::start().await;
    let home = umoci.home().display().to_string();
    fs::write(umoci.home().join("file"), "made by umoci").expect("a file");
    for line in
        ["init --layout made", "new --image made:v1", "insert --rootless --image made:v1 file /file", "config --image made:v1 --author me"]
    {
        umoci.run(line).await;
    }
    let remote = format!("docker://{}/made:v1", registry.address());
    let options = "--preserve-digests --src-tls-verify=false --dest-tls-verify=false";
    for (from, to) in [(format!("oci:{home}/made:v1"), remote.clone()), (remote, format!("oci:{home}/back:v1"))] {
        skopeo.run(&format!("--insecure-policy copy -q {options} {from} {to}")).await;
    }
    umoci.run("unpack --rootless --image back:v1 bundle").await;
    assert_eq!(fs::read_to_string(umoci.home().join("bundle/rootfs/file")).expect("the image's file"), "made by umoci");
}
