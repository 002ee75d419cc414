//! Losing the metadata: `zot rebuild` reads it back from the image layouts, and everything is as it was.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use zot_tests::{
    Client, Image, Manifest, Sandbox,
    content::{self, descriptor, media_type},
    digest_of,
    skip::{find_program, skip},
    wait,
};

use crate::registry::contents;

/// Pushes of everything that a registry can have, and tells which manifests no tag leads to.
pub(crate) async fn push_variety(client: &Client) -> Vec<(&'static str, String)> {
    let image = Image::small(1);
    client.push_image("apps/web", "v1", &image).await;
    client.push_image("apps/web", "latest", &image).await;
    client.push_image("apps/web", "v2", &Image::with_layers(2, vec![content::bytes(1, 1000), content::bytes(2, 200_000)])).await;
    client.push_image("apps", "shared", &Image::with_layers(3, vec![content::bytes(2, 200_000)])).await;
    let other = Image::small(4);
    let child = client.push_image("apps/web", &other.digest(), &other).await;
    let index = Manifest::index(&[image.manifest.descriptor(), other.manifest.descriptor()]);
    client.put_manifest("apps/web", "multi", &index).await.expect(201);
    client.put_manifest("apps/web", "nested", &Manifest::index(&[index.descriptor()])).await.expect(201);
    let absent = descriptor(media_type::MANIFEST, b"not pushed");
    client.put_manifest("apps/web", "sparse", &Manifest::index(&[absent])).await.expect(201);
    let strong = content::sha512_of(&image.manifest.bytes);
    client.put_manifest("apps/web", &format!("{strong}?tag=strong"), &image.manifest).await.expect(201);
    let signature = Image::artifact("application/vnd.example.signature", 5, Some(&image.manifest.descriptor()));
    let signature = client.push_image("apps/web", &signature.digest(), &signature).await;
    let missing = descriptor(media_type::MANIFEST, b"a subject that never came");
    client.push_image("apps/web", "sbom", &Image::artifact("application/vnd.example.sbom", 6, Some(&missing))).await;
    // What was taken away must not come back.
    let gone = client.push_image("apps/web", "gone", &Image::small(7)).await;
    client.delete(&format!("/v2/apps/web/manifests/{gone}")).await.expect(202);
    client.push_image("apps/web", "moved", &Image::small(8)).await;
    client.push_image("apps/web", "moved", &Image::small(9)).await;
    let untagged = client.push_image("untagged", "x", &Image::small(10)).await;
    client.delete("/v2/untagged/manifests/x").await.expect(202);
    vec![("apps/web", child), ("apps/web", signature), ("apps/web", gone), ("apps/web", strong), ("untagged", untagged)]
}

fn delete_metadata(root: &Path) {
    let metadata = root.join("_zot/metadata.redb");
    assert!(metadata.is_file());
    fs::remove_file(metadata).unwrap();
}

pub(crate) fn rebuild(sandbox: &Sandbox) -> Value {
    let output = sandbox.run("rebuild");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.stderr, "", "a progress bar is for terminals");
    let mut lines = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.find(|line| line["message"] == "rebuilt the metadata").expect("a line that sums it up")
}

#[tokio::test]
async fn a_rebuild_gives_back_the_same_registry() {
    for dedupe in [true, false] {
        let mut sandbox = Sandbox::builder().set("/storage/dedupe", dedupe).start().await;
        let untagged = push_variety(&sandbox.client()).await;
        let untagged: Vec<(&str, &str)> = untagged.iter().map(|(name, digest)| (*name, digest.as_str())).collect();
        let before = contents(&sandbox.client(), &untagged).await;
        assert!(sandbox.terminate().await.success());
        delete_metadata(sandbox.root());
        let found = rebuild(&sandbox);
        assert_eq!((&found["repositories"], &found["damaged"]), (&json!(3), &json!(0)), "{found}");
        sandbox.restart().await;
        assert_eq!(contents(&sandbox.client(), &untagged).await, before);
        // And it goes on from there.
        sandbox.client().push_image("apps/web", "v3", &Image::small(11)).await;
        sandbox.client().delete("/v2/apps/web/manifests/v1").await.expect(202);
    }
}

#[tokio::test]
async fn a_rebuild_of_metadata_that_is_well_changes_nothing() {
    let mut sandbox = Sandbox::start().await;
    push_variety(&sandbox.client()).await;
    let before = contents(&sandbox.client(), &[]).await;
    for _ in 0..2 {
        assert!(sandbox.terminate().await.success());
        rebuild(&sandbox);
        sandbox.restart().await;
        assert_eq!(contents(&sandbox.client(), &[]).await, before);
    }
}

#[tokio::test]
async fn after_a_kill_the_layouts_lag_by_a_moment_and_are_rebuilt_from() {
    let mut sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let digest = client.push_image("a", "latest", &Image::small(1)).await;
    let index = sandbox.root().join("a/index.json");
    wait::until("the layout has the image", async || fs::read_to_string(&index).is_ok_and(|text| text.contains(&digest))).await;
    sandbox.kill9();
    delete_metadata(sandbox.root());
    rebuild(&sandbox);
    sandbox.restart().await;
    assert_eq!(sandbox.client().get_manifest("a", "latest").await.expect(200).header("docker-content-digest"), digest);
}

#[tokio::test]
async fn a_rebuild_after_a_kill_keeps_what_layouts_do_not_show_yet() {
    let mut sandbox = Sandbox::start().await;
    let tags = ["v1", "v2", "v3"];
    for (seed, tag) in (1..).zip(tags) {
        sandbox.client().push_image("a", tag, &Image::small(seed)).await;
    }
    sandbox.kill9();
    rebuild(&sandbox);
    sandbox.restart().await;
    assert_eq!(sandbox.client().tags("a").await, tags);
    for tag in tags {
        sandbox.client().get_manifest("a", tag).await.expect(200);
    }
}

#[tokio::test]
async fn metadata_that_is_missing_at_a_start_is_rebuilt_by_itself() {
    let mut sandbox = Sandbox::start().await;
    push_variety(&sandbox.client()).await;
    let before = contents(&sandbox.client(), &[]).await;
    assert!(sandbox.terminate().await.success());
    delete_metadata(sandbox.root());
    sandbox.restart().await;
    assert_eq!(contents(&sandbox.client(), &[]).await, before);
}

#[tokio::test]
async fn every_store_is_rebuilt() {
    let builder = Sandbox::builder();
    let other = builder.directory().join("other");
    let mut sandbox = builder.set("/storage/subPaths", json!({"/infra": {"rootDirectory": other}})).start().await;
    for repository in ["infra/tools", "apps/web"] {
        sandbox.client().push_image(repository, "latest", &Image::small(1)).await;
    }
    let before = contents(&sandbox.client(), &[]).await;
    assert!(sandbox.terminate().await.success());
    delete_metadata(sandbox.root());
    delete_metadata(&other);
    rebuild(&sandbox);
    sandbox.restart().await;
    assert_eq!(contents(&sandbox.client(), &[]).await, before);
}

#[tokio::test]
async fn a_rebuild_warns_as_a_start_does_and_logs_where_the_configuration_says() {
    let builder = Sandbox::builder().set("/storage/gc", true);
    let log = builder.directory().join("rebuild.log");
    let mut sandbox = builder.start().await;
    let warned = sandbox.logs().lines().filter(|line| line["key"] == "storage.gc").count();
    assert!(sandbox.terminate().await.success());
    sandbox.set("/log/output", log.to_str().unwrap());
    let output = sandbox.run("rebuild");
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (Some(0), "", ""));
    let logged: Vec<Value> = fs::read_to_string(&log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |key: &str, value: &str| logged.iter().filter(|line| line[key] == value).count();
    assert_eq!((count("key", "storage.gc"), count("message", "rebuilt the metadata")), (warned, 1), "{logged:?}");
    assert_eq!(warned, 1);
    sandbox.set("/log/level", "error");
    assert_eq!(sandbox.run("rebuild").code, Some(0));
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), logged.len(), "nothing of it is an error");
}

#[tokio::test]
async fn damaged_content_is_left_out_and_named() {
    let mut sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let whole = client.push_image("a", "whole", &Image::small(1)).await;
    let broken = client.push_image("a", "broken", &Image::small(2)).await;
    client.push_image("b", "latest", &Image::small(3)).await;
    assert!(sandbox.terminate().await.success());
    let file = sandbox.root().join("a/blobs").join(broken.replace(':', "/"));
    fs::remove_file(&file).unwrap();
    fs::write(&file, "{\"not\": \"what it was\"}").unwrap();
    fs::write(sandbox.root().join("b/index.json"), "{\"schemaVer").unwrap();
    delete_metadata(sandbox.root());
    assert_eq!(rebuild(&sandbox)["damaged"], 2);
    sandbox.restart().await;
    let client = sandbox.client();
    assert_eq!(client.tags("a").await, ["whole"]);
    client.get_manifest("a", &whole).await.expect(200);
    client.get_manifest("a", &broken).await.expect(404);
    client.get_manifest("b", "latest").await.expect(404);
    // What is missing can be pushed again.
    client.push_image("a", "broken", &Image::small(2)).await;
    client.push_image("b", "latest", &Image::small(3)).await;
    client.get_manifest("a", &broken).await.expect(200);
}

#[tokio::test]
async fn other_tools_can_read_the_layouts() {
    let mut sandbox = Sandbox::start().await;
    let image = Image::small(1);
    sandbox.client().push_image("apps/web", "v1", &image).await;
    assert!(sandbox.terminate().await.success());
    let layout = sandbox.root().join("apps/web");
    let Some(skopeo) = find_program("skopeo") else { return skip("other_tools_can_read_the_layouts", "skopeo is not installed") };
    let output = Command::new(skopeo).args(["inspect", "--raw", &format!("oci:{}:v1", layout.display())]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout == image.manifest.bytes);
    let Some(umoci) = find_program("umoci") else { return skip("other_tools_can_read_the_layouts", "umoci is not installed") };
    let output = Command::new(umoci).args(["list", "--layout", layout.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "v1");
}

#[tokio::test]
async fn deleted_blobs_do_not_come_back() {
    let mut sandbox = Sandbox::start().await;
    let client = sandbox.client();
    client.push_image("a", "kept", &Image::small(1)).await;
    let image = Image::with_layers(2, vec![content::bytes(2, 1000), content::bytes(3, 200_000)]);
    let digest = client.push_image("a", "gone", &image).await;
    let index = sandbox.root().join("a/index.json");
    wait::until("the layout has the image", async || fs::read_to_string(&index).is_ok_and(|text| text.contains(&digest))).await;
    client.delete(&format!("/v2/a/manifests/{digest}")).await.expect(202);
    for blob in image.blobs() {
        client.delete(&format!("/v2/a/blobs/{}", digest_of(blob))).await.expect(202);
    }
    assert!(sandbox.terminate().await.success());
    delete_metadata(sandbox.root());
    rebuild(&sandbox);
    sandbox.restart().await;
    for blob in image.blobs() {
        sandbox.client().get_blob("a", &digest_of(blob)).await.expect(404);
    }
    sandbox.client().get_manifest("a", "kept").await.expect(200);
}
