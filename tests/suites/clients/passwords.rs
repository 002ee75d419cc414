//! Clients that log in with a name and a password: of an htpasswd file, and of an LDAP directory.

use std::fs;

use serde_json::json;
use tempfile::TempDir;
use zot_services::{
    Ldap,
    ldap::{PEOPLE, SERVICE, SERVICE_PASSWORD},
};
use zot_tests::{
    Registry,
    shapes::{Settings, Shape},
    skip::skip,
};

use crate::{
    buildah::Buildah,
    docker::Engine,
    layout::Layout,
    program::{Program, this_test},
};

pub(crate) const PASSWORD: &str = "pw-alice";
/// A file that lets alice in by [`PASSWORD`].
pub(crate) const HTPASSWD: &str = "alice:$2y$05$eS1aorlxRnr0Eudh5V5bBORSe8v3HJEDxIIRmi7lLzOUiXYm4rO7i\n";

/// A registry that lets alice in, and what knows her.
struct Setup {
    registry: Registry,
    _directory: Option<Ldap>,
    _file: Option<TempDir>,
}

impl Setup {
    /// A registry of each kind, in each shape, that can be had here.
    async fn each() -> Vec<Self> {
        let mut setups = Vec::new();
        for shape in [Shape::AllInOne, Shape::Cluster] {
            setups.push(Self::htpasswd(shape).await);
            match Ldap::available() {
                Ok(()) => setups.push(Self::ldap(shape).await),
                Err(reason) => skip(&format!("{} with ldap", this_test("passwords")), &reason),
            }
        }
        setups
    }

    async fn htpasswd(shape: Shape) -> Self {
        let folder = TempDir::new().expect("a directory");
        let file = folder.path().join("htpasswd");
        fs::write(&file, HTPASSWD).expect("the file");
        let settings = Settings::default().set("/http/auth/htpasswd/path", file.to_str().expect("a path"));
        let registry = shape.start(settings.set("/http/compat", json!(["docker2s2"]))).await;
        Self { registry, _directory: None, _file: Some(folder) }
    }

    async fn ldap(shape: Shape) -> Self {
        let directory = Ldap::start().await;
        let ldap = json!({
            "address": "127.0.0.1",
            "port": directory.port(),
            "startTLS": true,
            "caCert": directory.authority(),
            "baseDN": PEOPLE,
            "userAttribute": "uid",
            "bindDN": SERVICE,
            "bindPassword": SERVICE_PASSWORD,
        });
        let settings = Settings::default().set("/http/auth/ldap", ldap).set("/http/compat", json!(["docker2s2"]));
        Self { registry: shape.start(settings).await, _directory: Some(directory), _file: None }
    }

    fn image(&self) -> String {
        format!("{}/a/b:v1", self.registry.address())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skopeo_logs_in_pushes_and_pulls() {
    let Some(skopeo) = Program::find("skopeo") else { return };
    let layout = Layout::with_image(skopeo.home().join("source"), "v1");
    for (number, setup) in Setup::each().await.into_iter().enumerate() {
        let (address, remote) = (setup.registry.address(), format!("docker://{}", setup.image()));
        let skopeo_does = |line: &str| format!("{line} --authfile {}", skopeo.home().join(format!("auth-{number}.json")).display());
        let push = format!(
            "{} --dest-tls-verify=false oci:{}:v1 {remote}",
            skopeo_does("--insecure-policy copy -q --preserve-digests"),
            layout.path().display()
        );
        skopeo.refused(&push).await;
        let login = |password: &str| format!("{} --tls-verify=false -u alice -p {password} {address}", skopeo_does("login"));
        skopeo.refused(&login("wrong")).await;
        skopeo.run(&login(PASSWORD)).await;
        skopeo.run(&push).await;
        let back = skopeo.home().join(format!("back-{number}"));
        let pull = format!(
            "{} --src-tls-verify=false {remote} oci:{}:v1",
            skopeo_does("--insecure-policy copy -q --preserve-digests"),
            back.display()
        );
        skopeo.run(&pull).await;
        layout.assert_copied_to(&back);
        skopeo.run(&format!("{} {address}", skopeo_does("logout"))).await;
        skopeo.refused(&format!("inspect --tls-verify=false {remote}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oras_logs_in_pushes_and_pulls() {
    let Some(oras) = Program::find("oras") else { return };
    fs::write(oras.home().join("file"), "of alice").expect("a file");
    for setup in Setup::each().await {
        let (address, artifact) = (setup.registry.address(), setup.image());
        let push = format!("push --plain-http --artifact-type application/vnd.example {artifact} file");
        oras.refused(&push).await;
        oras.refused(&format!("login --plain-http -u alice -p wrong {address}")).await;
        oras.run(&format!("login --plain-http -u alice -p {PASSWORD} {address}")).await;
        oras.run(&push).await;
        oras.run(&format!("pull --plain-http -o back {artifact}")).await;
        assert_eq!(fs::read_to_string(oras.home().join("back/file")).expect("the file"), "of alice");
        oras.run(&format!("logout {address}")).await;
        oras.refused(&format!("resolve --plain-http {artifact}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crane_logs_in_pushes_and_pulls() {
    let Some(crane) = Program::find("crane") else { return };
    let layout = Layout::with_image(crane.home().join("source"), "v1");
    for (number, setup) in Setup::each().await.into_iter().enumerate() {
        let (address, image) = (setup.registry.address(), setup.image());
        let push = format!("push --insecure {} {image}", layout.path().display());
        crane.refused(&push).await;
        crane.run(&format!("auth login -u alice -p wrong {address}")).await;
        crane.refused(&push).await;
        crane.run(&format!("auth login -u alice -p {PASSWORD} {address}")).await;
        crane.run(&push).await;
        let back = crane.home().join(format!("back-{number}"));
        crane.run(&format!("pull --insecure --format oci {image} {}", back.display())).await;
        layout.assert_copied_to(&back);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buildah_logs_in_pushes_and_pulls() {
    with_store(crate::buildah::buildah().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn podman_logs_in_pushes_and_pulls() {
    with_store(crate::buildah::podman().await).await;
}

async fn with_store(client: Option<Buildah>) {
    let Some(client) = client else { return };
    let built = client.id("built").await;
    for setup in Setup::each().await {
        let (address, remote) = (setup.registry.address(), format!("docker://{}", setup.image()));
        let push = format!("push -q --tls-verify=false --format oci built {remote}");
        client.refused(&push).await;
        client.refused(&format!("login --tls-verify=false -u alice -p wrong {address}")).await;
        client.run(&format!("login --tls-verify=false -u alice -p {PASSWORD} {address}")).await;
        client.run(&push).await;
        client.run(&format!("pull -q --tls-verify=false {remote}")).await;
        assert_eq!(client.id(&setup.image()).await, built);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_logs_in_pushes_and_pulls() {
    let Some(engine) = Engine::start().await else { return };
    for setup in Setup::each().await {
        let (address, image) = (setup.registry.address(), setup.image());
        let made = engine.make(&image).await;
        engine.refused(&format!("push {image}")).await;
        engine.refused(&format!("login -u alice -p wrong {address}")).await;
        engine.run(&format!("login -u alice -p {PASSWORD} {address}")).await;
        engine.run(&format!("push {image}")).await;
        engine.run(&format!("rmi {image}")).await;
        engine.run(&format!("pull {image}")).await;
        assert_eq!(engine.id(&image).await, made);
        engine.run(&format!("logout {address}")).await;
        engine.refused(&format!("pull {image}")).await;
    }
}
