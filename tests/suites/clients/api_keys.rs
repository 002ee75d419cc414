//! Clients that log in with an API key in the place of a password.

use std::fs;

use serde_json::json;
use zot_tests::Sandbox;

use crate::{layout::Layout, program::Program};

/// A file that lets alice in by `pw-alice`.
const HTPASSWD: &str = "alice:$2y$04$4QX9o67odHjqIMEQDgiXM.9tgvuk5ZVS/m.qkaBHMQlF3jdl.4e5.\n";

/// A registry, a key of alice's for `team/app` alone, and one for reading.
struct Setup {
    registry: Sandbox,
    pusher: String,
    reader: String,
}

impl Setup {
    async fn start() -> Self {
        let builder = Sandbox::builder();
        let file = builder.directory().join("htpasswd");
        fs::write(&file, HTPASSWD).expect("the file");
        let builder = builder.set("/http/auth/htpasswd/path", file.to_str().expect("a path")).set("/http/auth/apikey", true);
        let registry = builder.start().await;
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

#[tokio::test]
async fn skopeo_pushes_and_pulls_with_keys() {
    let Some(skopeo) = Program::find("skopeo") else { return };
    let (setup, layout) = (Setup::start().await, Layout::with_image(skopeo.home().join("source"), "v1"));
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

#[tokio::test]
async fn oras_pushes_and_pulls_with_keys() {
    let Some(oras) = Program::find("oras") else { return };
    let setup = Setup::start().await;
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

#[tokio::test]
async fn crane_pushes_and_pulls_with_keys() {
    let Some(crane) = Program::find("crane") else { return };
    let (setup, layout) = (Setup::start().await, Layout::with_image(crane.home().join("source"), "v1"));
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
