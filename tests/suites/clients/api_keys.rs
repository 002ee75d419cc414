//! Clients that log in with an API key in the place of a password.

use std::{fs, sync::LazyLock};

use serde_json::json;
use tempfile::TempDir;
use zot_tests::{Registry, in_both_shapes, shapes::Settings};

use crate::{
    buildah::{self, Buildah},
    docker::Engine,
    layout::Layout,
    program::Program,
};

/// A file that lets alice in by `pw-alice`.
const HTPASSWD: &str = "alice:$2y$04$4QX9o67odHjqIMEQDgiXM.9tgvuk5ZVS/m.qkaBHMQlF3jdl.4e5.\n";

/// A file of users, for as long as this process lives.
static USERS: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = TempDir::new().expect("a directory");
    fs::write(directory.path().join("htpasswd"), HTPASSWD).expect("the file");
    directory
});

fn settings(settings: Settings) -> Settings {
    let file = USERS.path().join("htpasswd");
    let settings = settings.set("/http/auth/htpasswd/path", file.to_str().expect("a path")).set("/http/auth/apikey", true);
    settings.set("/http/compat", json!(["docker2s2"]))
}

/// A registry, a key of alice's for `team/app` alone, and one for reading.
struct Setup {
    registry: Registry,
    pusher: String,
    reader: String,
}

impl Setup {
    async fn of(registry: Registry) -> Self {
        let client = registry.client();
        let key = async |scope: &str| {
            let wish = json!({"label": "client", "scopes": [scope]}).to_string();
            let made = client.post("/zot/auth/apikey").basic("alice", "pw-alice").body(wish).await.expect(201).json();
            made["apiKey"].as_str().expect("a key").to_owned()
        };
        let (pusher, reader) = (key("repository:team/app:pull,push").await, key("**:read").await);
        Self { registry, pusher, reader }
    }

    fn image(&self, name: &str) -> String {
        format!("{}/{name}:v1", self.registry.address())
    }
}

async fn with_skopeo(registry: Registry) {
    let Some(skopeo) = Program::find("skopeo") else { return };
    let (setup, layout) = (Setup::of(registry).await, Layout::with_image(skopeo.home().join("source"), "v1"));
    let push = |key: &str, name: &str| {
        let (from, to) = (layout.path().display(), setup.image(name));
        format!("--insecure-policy copy -q --dest-tls-verify=false --dest-creds alice:{key} oci:{from}:v1 docker://{to}")
    };
    skopeo.refused(&push(&setup.reader, "team/app")).await;
    skopeo.refused(&push(&setup.pusher, "team/other")).await;
    skopeo.run(&push(&setup.pusher, "team/app")).await;
    let image = setup.image("team/app");
    for key in [&setup.reader, &setup.pusher] {
        skopeo.run(&format!("inspect --tls-verify=false --creds alice:{key} docker://{image}")).await;
    }
    skopeo.refused(&format!("inspect --tls-verify=false --creds bob:{} docker://{image}", setup.reader)).await;
}

async fn with_oras(registry: Registry) {
    let Some(oras) = Program::find("oras") else { return };
    let setup = Setup::of(registry).await;
    fs::write(oras.home().join("file"), "of alice").expect("a file");
    let login = |key: &str| format!("login --plain-http -u alice -p {key} {}", setup.registry.address());
    let artifact = setup.image("team/app");
    let push = format!("push --plain-http --artifact-type application/vnd.example {artifact} file");
    oras.run(&login(&setup.reader)).await;
    oras.refused(&push).await;
    oras.run(&login(&setup.pusher)).await;
    oras.run(&push).await;
    oras.run(&login(&setup.reader)).await;
    oras.run(&format!("pull --plain-http -o back {artifact}")).await;
    assert_eq!(fs::read_to_string(oras.home().join("back/file")).expect("the file"), "of alice");
}

async fn with_crane(registry: Registry) {
    let Some(crane) = Program::find("crane") else { return };
    let (setup, layout) = (Setup::of(registry).await, Layout::with_image(crane.home().join("source"), "v1"));
    let login = |key: &str| format!("auth login -u alice -p {key} {}", setup.registry.address());
    let image = setup.image("team/app");
    let push = format!("push --insecure {} {image}", layout.path().display());
    crane.run(&login(&setup.reader)).await;
    crane.refused(&push).await;
    crane.run(&login(&setup.pusher)).await;
    crane.run(&push).await;
    crane.run(&login(&setup.reader)).await;
    let back = crane.home().join("back");
    crane.run(&format!("pull --insecure --format oci {image} {}", back.display())).await;
    layout.assert_copied_to(&back);
}

async fn with_store(registry: Registry, client: Option<Buildah>) {
    let Some(client) = client else { return };
    let setup = Setup::of(registry).await;
    let (address, remote, built) = (setup.registry.address(), setup.image("team/app"), client.id("built").await);
    let push = format!("push -q --tls-verify=false --format oci built docker://{remote}");
    let login = |key: &str| format!("login --tls-verify=false -u alice -p {key} {address}");
    client.run(&login(&setup.reader)).await;
    client.refused(&push).await;
    client.run(&login(&setup.pusher)).await;
    client.run(&push).await;
    client.run(&login(&setup.reader)).await;
    client.run(&format!("pull -q --tls-verify=false docker://{remote}")).await;
    assert_eq!(client.id(&remote).await, built);
}

async fn with_docker(registry: Registry) {
    let Some(engine) = Engine::start().await else { return };
    let setup = Setup::of(registry).await;
    let (address, image) = (setup.registry.address(), setup.image("team/app"));
    let made = engine.make(&image).await;
    engine.run(&format!("login -u alice -p {} {address}", setup.reader)).await;
    engine.refused(&format!("push {image}")).await;
    engine.run(&format!("login -u alice -p {} {address}", setup.pusher)).await;
    engine.run(&format!("push {image}")).await;
    engine.run(&format!("rmi {image}")).await;
    engine.run(&format!("login -u alice -p {} {address}", setup.reader)).await;
    engine.run(&format!("pull {image}")).await;
    assert_eq!(engine.id(&image).await, made);
}

in_both_shapes!(skopeo_pushes_and_pulls_with_keys, settings, with_skopeo);
in_both_shapes!(oras_pushes_and_pulls_with_keys, settings, with_oras);
in_both_shapes!(crane_pushes_and_pulls_with_keys, settings, with_crane);
in_both_shapes!(buildah_pushes_and_pulls_with_keys, settings, |registry| async move {
    with_store(registry, buildah::buildah().await).await;
});
in_both_shapes!(podman_pushes_and_pulls_with_keys, settings, |registry| async move {
    with_store(registry, buildah::podman().await).await;
});
in_both_shapes!(docker_pushes_and_pulls_with_keys, settings, with_docker);
