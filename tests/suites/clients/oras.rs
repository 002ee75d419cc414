//! Oras, the client of everything that is no image: artifacts, and what is attached to others.

use std::fs;

use zot_tests::{Sandbox, content};

use crate::program::Program;

const SBOM: &str = "application/vnd.example.sbom";

/// Oras in a home with the files that it pushes.
fn oras() -> Option<Program> {
    let oras = Program::find("oras")?;
    fs::write(oras.home().join("file.bin"), content::bytes(1, 100_000)).expect("a file");
    fs::write(oras.home().join("sbom.json"), r#"{"packages":[]}"#).expect("a file");
    Some(oras)
}

#[tokio::test]
async fn an_artifact_comes_out_as_it_went_in() {
    let Some(oras) = oras() else { return };
    let registry = Sandbox::start().await;
    let artifact = format!("{}/a/b:v1", registry.address());
    oras.run(&format!("push --plain-http --artifact-type application/vnd.example {artifact} file.bin:application/x-binary sbom.json"))
        .await;
    oras.run(&format!("pull --plain-http -o pulled {artifact}")).await;
    for file in ["file.bin", "sbom.json"] {
        let read = |path: &str| fs::read(oras.home().join(path)).expect("a file");
        assert!(read(file) == read(&format!("pulled/{file}")), "{file}");
    }
    oras.run(&format!("tag --plain-http {artifact} v2 v3")).await;
    assert_eq!(oras.run(&format!("repo tags --plain-http {}/a/b", registry.address())).await, "v1\nv2\nv3\n");
    assert_eq!(oras.run(&format!("repo ls --plain-http {}", registry.address())).await, "a/b\n");
}

#[tokio::test]
async fn what_is_attached_is_discovered_copied_and_deleted() {
    let Some(oras) = oras() else { return };
    let registry = Sandbox::start().await;
    let (artifact, copy) = (format!("{}/one:v1", registry.address()), format!("{}/other:v1", registry.address()));
    oras.run(&format!("push --plain-http --artifact-type application/vnd.example {artifact} file.bin")).await;
    oras.run(&format!("attach --plain-http --artifact-type {SBOM} {artifact} sbom.json")).await;
    oras.run(&format!("attach --plain-http --artifact-type application/vnd.example.other --annotation a=b {artifact}")).await;
    let found = oras.run(&format!("discover --plain-http --format json --artifact-type {SBOM} {artifact}")).await;
    assert_eq!((found.matches("\"digest\"").count(), found.contains(SBOM)), (1, true), "{found}");
    oras.run(&format!("cp -r --from-plain-http --to-plain-http {artifact} {copy}")).await;
    let copied = oras.run(&format!("discover --plain-http --format json {copy}")).await;
    assert_eq!(copied.matches("\"digest\"").count(), 2, "{copied}");
    let digest = found.split('"').find(|text| text.starts_with("sha256:")).expect("a digest").to_owned();
    oras.run(&format!("manifest delete --plain-http -f {}/other@{digest}", registry.address())).await;
    let left = oras.run(&format!("discover --plain-http --format json {copy}")).await;
    assert_eq!((left.matches("\"digest\"").count(), left.contains(SBOM)), (1, false), "{left}");
}

#[tokio::test]
async fn blobs_and_manifests_are_pushed_fetched_and_deleted() {
    let Some(oras) = oras() else { return };
    let registry = Sandbox::start().await;
    let at = registry.address();
    let bytes = fs::read(oras.home().join("file.bin")).expect("the file");
    let digest = content::digest_of(&bytes);
    oras.run(&format!("blob push --plain-http {at}/a@{digest} file.bin")).await;
    oras.run(&format!("blob fetch --plain-http -o fetched {at}/a@{digest}")).await;
    assert!(fs::read(oras.home().join("fetched")).expect("the blob") == bytes);
    oras.run(&format!("blob delete --plain-http -f {at}/a@{digest}")).await;
    oras.refused(&format!("blob fetch --plain-http -o gone {at}/a@{digest}")).await;
    oras.run(&format!("push --plain-http {at}/a:v1 sbom.json")).await;
    let manifest = oras.run(&format!("manifest fetch --plain-http {at}/a:v1")).await;
    assert_eq!(content::digest_of(manifest.as_bytes()), oras.run(&format!("resolve --plain-http {at}/a:v1")).await.trim());
    oras.run(&format!("manifest delete --plain-http -f {at}/a:v1")).await;
    oras.refused(&format!("resolve --plain-http {at}/a:v1")).await;
}
