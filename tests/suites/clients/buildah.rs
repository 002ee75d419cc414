//! Buildah, which builds images, and podman, which has them in the same place.

use std::fs;

use zot_tests::{Sandbox, content::media_type};

use crate::program::{Program, this_test};

/// Buildah with a store of its own, and an image `built` in it.
pub(crate) async fn buildah() -> Option<Buildah> {
    let program = Program::find("buildah")?.environment("BUILDAH_ISOLATION", "chroot");
    let home = program.home().display().to_string();
    let options = format!("--root {home}/root --runroot {home}/run --storage-driver vfs");
    let buildah = Buildah { options, program, inspect: "inspect --type image --format {{.FromImageID}}", _builder: None };
    fs::write(buildah.program.home().join("file"), "made by buildah").expect("a file");
    fs::write(buildah.program.home().join("Containerfile"), "FROM scratch\nCOPY file /file\n").expect("a file");
    if let Err(reason) = buildah.program.attempt(&format!("{} info", buildah.options)).await {
        zot_tests::skip::skip(&this_test("buildah"), &format!("buildah cannot keep images here: {reason}"));
        return None;
    }
    buildah.run("build -q -t built .").await;
    Some(buildah)
}

/// Podman with what [`buildah`] has.
pub(crate) async fn podman() -> Option<Buildah> {
    let program = Program::find("podman")?;
    let Buildah { program: builder, options, .. } = buildah().await?;
    Some(Buildah { options, program, inspect: "image inspect --format {{.Id}}", _builder: Some(builder) })
}

pub(crate) struct Buildah {
    program: Program,
    options: String,
    /// What shows the digest of an image's configuration.
    inspect: &'static str,
    /// Whose home the images are in, if not in that of the program.
    _builder: Option<Program>,
}

impl Buildah {
    pub(crate) async fn run(&self, line: &str) -> String {
        self.program.run(&format!("{} {line}", self.options)).await.trim().to_owned()
    }

    /// Runs a command that must fail, and gives what it said.
    pub(crate) async fn refused(&self, line: &str) -> String {
        self.program.refused(&format!("{} {line}", self.options)).await
    }

    /// What tells an image from all others: the digest of its configuration.
    pub(crate) async fn id(&self, image: &str) -> String {
        self.run(&format!("{} {image}", self.inspect)).await
    }
}

#[tokio::test]
async fn a_built_image_is_pushed_and_pulled() {
    let Some(buildah) = buildah().await else { return };
    let registry = Sandbox::start().await;
    let remote = format!("{}/a/b:v1", registry.address());
    let built = buildah.id("built").await;
    buildah.run(&format!("push -q --tls-verify=false --format oci built docker://{remote}")).await;
    buildah.run("rmi -a -f").await;
    buildah.run(&format!("pull -q --tls-verify=false docker://{remote}")).await;
    assert_eq!(buildah.id(&remote).await, built);
    let container = buildah.run(&format!("from {remote}")).await;
    let mounted = buildah.run(&format!("mount {container}")).await;
    assert_eq!(fs::read_to_string(format!("{mounted}/file")).expect("the image's file"), "made by buildah");
    buildah.run("rm -a").await;
}

#[tokio::test]
async fn docker_schema_2_is_pushed_where_it_is_allowed() {
    let Some(buildah) = buildah().await else { return };
    let registry = Sandbox::builder().set("/http/compat", serde_json::json!(["docker2s2"])).start().await;
    let remote = format!("{}/docker:v1", registry.address());
    let built = buildah.id("built").await;
    buildah.run(&format!("push -q --tls-verify=false --format v2s2 built docker://{remote}")).await;
    buildah.run("rmi -a -f").await;
    buildah.run(&format!("pull -q --tls-verify=false docker://{remote}")).await;
    assert_eq!(buildah.id(&remote).await, built);
    let pushed = registry.client().get("/v2/docker/manifests/v1").await.expect(200);
    assert_eq!(pushed.header("content-type"), media_type::DOCKER_MANIFEST);
}

#[tokio::test]
async fn a_manifest_list_is_pushed_with_its_images() {
    let Some(buildah) = buildah().await else { return };
    let registry = Sandbox::start().await;
    let remote = format!("{}/list:v1", registry.address());
    buildah.run("build -q --platform linux/arm64 -t other .").await;
    buildah.run("manifest create list").await;
    for image in ["built", "other"] {
        buildah.run(&format!("manifest add list containers-storage:localhost/{image}:latest")).await;
    }
    buildah.run(&format!("manifest push -q --all --tls-verify=false --format oci list docker://{remote}")).await;
    let index = registry.client().get("/v2/list/manifests/v1").await.expect(200);
    let platforms: Vec<String> =
        index.json()["manifests"].as_array().expect("images").iter().map(|image| image["platform"]["architecture"].to_string()).collect();
    assert_eq!(platforms, ["\"amd64\"", "\"arm64\""]);
}
