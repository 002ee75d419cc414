//! Skopeo, the client of podman's and buildah's library: every kind of image, copied in, inside and out.

use std::path::Path;

use serde_json::Value;
use zot_tests::{Sandbox, content::digest_of};

use crate::{
    layout::{Layout, Packing},
    program::Program,
};

/// Skopeo and a registry to talk to.
struct Setup {
    skopeo: Program,
    registry: Sandbox,
}

impl Setup {
    async fn start() -> Option<Self> {
        Program::find("zstd")?;
        Some(Self { skopeo: Program::find("skopeo")?, registry: Sandbox::start().await })
    }

    /// A repository of the registry, as skopeo names it.
    fn at(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.registry.address())
    }

    /// Copies without changing a digest.
    async fn copy(&self, options: &str, from: &str, to: &str) {
        let options = format!("--preserve-digests --src-tls-verify=false --dest-tls-verify=false {options}");
        self.skopeo.run(&format!("--insecure-policy copy -q {options} {from} {to}")).await;
    }

    async fn raw(&self, image: &str) -> String {
        self.skopeo.run(&format!("inspect --raw --tls-verify=false {image}")).await
    }
}

/// How skopeo names an image in a layout.
fn of(layout: &Path, tag: &str) -> String {
    format!("oci:{}:{tag}", layout.display())
}

#[tokio::test]
async fn an_image_comes_out_as_it_went_in() {
    let Some(setup) = Setup::start().await else { return };
    for packing in [Packing::Gzip, Packing::Zstd, Packing::Plain] {
        let (source, back) = (setup.skopeo.home().join(format!("{packing:?}")), setup.skopeo.home().join(format!("{packing:?}-back")));
        let mut layout = Layout::create(source);
        let image = layout.image(1, "amd64", packing);
        layout.tag("v1", &image);
        let remote = setup.at(&format!("images/{packing:?}:v1").to_lowercase());
        setup.copy("", &of(layout.path(), "v1"), &remote).await;
        assert_eq!(digest_of(setup.raw(&remote).await.as_bytes()), layout.digest("v1"));
        setup.copy("", &remote, &of(&back, "v1")).await;
        layout.assert_copied_to(&back);
    }
}

#[tokio::test]
async fn an_index_keeps_its_digest_and_its_platforms() {
    let Some(setup) = Setup::start().await else { return };
    let mut layout = Layout::create(setup.skopeo.home().join("source"));
    let images = [layout.image(1, "amd64", Packing::Gzip), layout.image(2, "arm64", Packing::Zstd)];
    let index = layout.index(&images);
    layout.tag("v1", &index);
    let (first, second, back) = (setup.at("one/index:v1"), setup.at("other:v1"), setup.skopeo.home().join("back"));
    setup.copy("--all", &of(layout.path(), "v1"), &first).await;
    setup.copy("--all", &first, &second).await;
    assert_eq!(digest_of(setup.raw(&second).await.as_bytes()), layout.digest("v1"));
    let arm = setup.skopeo.run(&format!("--override-arch arm64 --override-os linux inspect --config --tls-verify=false {second}")).await;
    assert_eq!(serde_json::from_str::<Value>(&arm).expect("a configuration")["architecture"], "arm64");
    setup.copy("--all", &second, &of(&back, "v1")).await;
    layout.assert_copied_to(&back);
}

#[tokio::test]
async fn tags_are_listed_and_images_deleted() {
    let Some(setup) = Setup::start().await else { return };
    let layout = Layout::with_image(setup.skopeo.home().join("source"), "v1");
    for tag in ["beta", "alpha"] {
        setup.copy("", &of(layout.path(), "v1"), &setup.at(&format!("a/b:{tag}"))).await;
    }
    let listed = setup.skopeo.run(&format!("list-tags --tls-verify=false {}", setup.at("a/b"))).await;
    assert_eq!(serde_json::from_str::<Value>(&listed).expect("tags")["Tags"], serde_json::json!(["alpha", "beta"]));
    // Skopeo finds out the digest and deletes that, with every tag.
    setup.skopeo.run(&format!("delete --tls-verify=false {}", setup.at("a/b:alpha"))).await;
    let told = setup.skopeo.refused(&format!("inspect --raw --tls-verify=false {}", setup.at("a/b:beta"))).await;
    assert!(told.contains("manifest unknown"), "{told}");
}

#[tokio::test]
async fn docker_schema_2_is_refused_with_the_reason_unless_it_is_allowed() {
    let Some(setup) = Setup::start().await else { return };
    let mut layout = Layout::create(setup.skopeo.home().join("source"));
    let images = [layout.image(1, "amd64", Packing::Gzip), layout.image(2, "arm64", Packing::Gzip)];
    let index = layout.index(&images);
    layout.tag("v1", &index);
    let copy = |to: &str| {
        let from = of(layout.path(), "v1");
        format!("--insecure-policy copy -q --all --dest-tls-verify=false --format v2s2 {from} docker://{to}/docker:v1")
    };
    let told = setup.skopeo.refused(&copy(&setup.registry.address().to_string())).await;
    assert!(told.contains("docker schema 2 is accepted only with `docker2s2` in `http.compat`"), "{told}");
    let allowing = Sandbox::builder().set("/http/compat", serde_json::json!(["docker2s2"])).start().await;
    setup.skopeo.run(&copy(&allowing.address().to_string())).await;
    let raw = setup.raw(&format!("docker://{}/docker:v1", allowing.address())).await;
    assert_eq!(raw.matches("application/vnd.docker.distribution.manifest.v2+json").count(), 2, "{raw}");
    assert!(raw.contains("application/vnd.docker.distribution.manifest.list.v2+json"), "{raw}");
}
