//! The cluster of `deploy/compose.yaml` as its users have it: brought up by docker-compose, pushed to and pulled from through its load balancer,
//! while containers of it are killed.

mod engine;
mod others;
mod stand_in;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use zot_tests::{skip::skip, wait};

use self::{engine::Engine, others::Artifact};
use crate::{
    layout::{Layout, Packing},
    program::{Program, this_test},
};

/// Where `deploy/` is.
fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// A cluster that can be brought up and down, with `deploy/` copied to a directory of its own.
struct Cluster {
    engine: Engine,
    crane: Program,
    /// The authority that crane trusts.
    authority: PathBuf,
    registry: &'static str,
    pushed: Vec<(String, Layout)>,
}

impl Cluster {
    /// An engine with all images, and nothing running.
    async fn prepare() -> Option<Self> {
        let crane = Program::find("crane")?;
        let engine = Engine::start().await?;
        stand_in::make_images(&engine, crane.home()).await?;
        let copied = Command::new("cp").arg("-r").arg(deploy()).arg(crane.home().join("deploy")).status();
        assert!(copied.expect("cp runs").success());
        let authority = crane.home().join("deploy/certificates/ca.pem");
        Some(Self { engine, crane, authority, registry: "localhost:8080", pushed: Vec::new() })
    }

    fn folder(&self) -> PathBuf {
        self.crane.home().join("deploy")
    }

    /// Runs a command of a version of compose on some of the files.
    async fn compose(&self, compose: &Program, files: &[&str], line: &str) -> String {
        let files: Vec<String> = files.iter().map(|file| format!("-f {}/{file}", self.folder().display())).collect();
        compose.run(&format!("-p zot {} {line}", files.join(" "))).await
    }

    async fn crane(&self, line: &str) -> Result<String, String> {
        self.engine.inside(&format!("env SSL_CERT_FILE={} {} {line}", self.authority.display(), self.crane.path().display())).await
    }

    /// Pushes an image of its own to `repository`.
    async fn try_push(&mut self, repository: &str) -> Result<(), String> {
        let seed = self.pushed.len() as u64;
        let mut layout = Layout::create(self.crane.home().join(format!("{seed}")));
        let image = layout.image(seed, "amd64", Packing::Gzip);
        layout.tag("v1", &image);
        let name = format!("{}/{repository}:v{seed}", self.registry);
        self.crane(&format!("push {} {name}", layout.path().display())).await?;
        self.pushed.push((name.replace(self.registry, ""), layout));
        Ok(())
    }

    async fn push(&mut self, repository: &str) {
        self.try_push(repository).await.unwrap_or_else(|said| panic!("push to {repository}: {said}"));
    }

    /// Fails the test unless everything that was ever pushed is there, byte for byte.
    async fn assert_everything_is_there(&self) {
        for (index, (name, layout)) in self.pushed.iter().enumerate() {
            let back = self.crane.home().join(format!("back-{index}"));
            fs::remove_dir_all(&back).ok();
            let pulled = self.crane(&format!("pull --format oci {}{name} {}", self.registry, back.display())).await;
            pulled.unwrap_or_else(|said| panic!("pull {name}: {said}"));
            layout.assert_copied_to(&back);
        }
    }

    /// Fails the test if a node had to keep uploads to itself: no other could have gone on with them.
    async fn assert_redis_was_reached(&self) {
        for service in ["node2", "node3"] {
            let said = self.engine.run(&format!("logs {}", self.container(service).await)).await;
            assert!(said.contains("serving the cluster"), "{service} says nothing of itself: {said}");
            assert!(!said.contains("upload sessions are out of reach"), "{said}");
        }
    }

    /// What `service` is called by the engine.
    async fn container(&self, service: &str) -> String {
        self.engine.run(&format!("ps -q --filter label=com.docker.compose.service={service}")).await.trim().to_owned()
    }

    async fn kill(&self, service: &str) {
        self.engine.run(&format!("kill {}", self.container(service).await)).await;
    }

    /// Waits until `service` says of the cluster what `expected` wants.
    async fn status(&self, service: &str, expected: impl Fn(&str) -> bool) {
        let line = format!("exec {} zot cluster status /etc/zot/config.json", self.container(service).await);
        let mut said = String::new();
        let came = wait::within(wait::PATIENCE, async || {
            said = self.engine.run(&line).await;
            expected(&said)
        });
        assert!(came.await, "the cluster says:\n{said}");
    }
}

/// A version of compose that talks to `engine`, or nothing after saying that this test is skipped.
fn compose(engine: &Engine, name: &str) -> Option<Program> {
    Some(Program::find(name)?.environment("DOCKER_HOST", engine.host()))
}

const PLAIN: &[&str] = &["compose.yaml"];
const TLS: &[&str] = &["compose.yaml", "compose.tls.yaml"];

#[tokio::test]
async fn both_versions_of_compose_take_the_files() {
    for name in ["docker-compose", "docker-compose-v2"] {
        let Some(compose) = Program::find(name) else { continue };
        for files in [PLAIN, TLS] {
            let files: Vec<String> = files.iter().map(|file| format!("-f {}/{file}", deploy().display())).collect();
            let said = compose.run(&format!("{} config", files.join(" "))).await;
            assert!(said.contains("node3"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_cluster_outlives_a_gateway_and_a_node_and_grows() {
    let Some(mut cluster) = Cluster::prepare().await else { return };
    let Some(compose) = compose(&cluster.engine, "docker-compose-v2") else { return };
    let (Some(skopeo), Some(oras)) = (Program::find("skopeo"), Program::find("oras")) else { return };
    cluster.compose(&compose, PLAIN, "up -d").await;

    let repositories: Vec<String> = (0..12).map(|number| format!("app/number-{number}")).collect();
    for repository in &repositories {
        cluster.push(repository).await;
    }
    others::copy_on(&cluster.engine, &skopeo, "app/number-0:v0").await;
    let artifact = Artifact::push(&cluster.engine, oras).await;
    artifact.assert_is_there(&cluster.engine).await;

    cluster.kill("gateway1").await;
    cluster.push("app/number-0").await;
    cluster.assert_everything_is_there().await;

    cluster.kill("node1").await;
    let mut longest = Duration::ZERO;
    for repository in &repositories {
        let begun = Instant::now();
        let pushed = wait::within(wait::PATIENCE, async || cluster.try_push(repository).await.is_ok());
        assert!(pushed.await, "{repository} is refused for {:?} after a node was killed", begun.elapsed());
        longest = longest.max(begun.elapsed());
    }
    eprintln!("after a node was killed, the push that waited longest took {longest:?}");
    cluster.assert_everything_is_there().await;
    artifact.assert_is_there(&cluster.engine).await;

    cluster.compose(&compose, PLAIN, "up -d").await;
    cluster.compose(&compose, PLAIN, "up -d node4").await;
    let up = |said: &str| said.lines().filter(|line| line.contains(" up ")).count();
    cluster.status("node2", |said| up(said) == 4).await;
    cluster.assert_redis_was_reached().await;
    cluster.push("app/number-1").await;
    cluster.assert_everything_is_there().await;

    cluster.compose(&compose, PLAIN, "--profile more down -t 5 --volumes").await;
    assert_eq!(cluster.engine.run("ps -aq").await + &cluster.engine.run("volume ls -q").await, "", "nothing is left");
}

#[tokio::test]
async fn what_was_stored_without_tls_is_served_with_it() {
    let Some(mut cluster) = Cluster::prepare().await else { return };
    let Some(first) = compose(&cluster.engine, "docker-compose") else { return };
    cluster.compose(&first, PLAIN, "up -d").await;
    cluster.push("app").await;
    cluster.compose(&first, PLAIN, "down -t 5").await;

    let made = Command::new(cluster.folder().join("certificates.sh")).status();
    if !made.is_ok_and(|status| status.success()) {
        return skip(&this_test("compose"), "openssl is not installed");
    }
    cluster.compose(&first, TLS, "up -d").await;
    cluster.registry = "localhost:8443";
    cluster.push("app").await;
    cluster.assert_everything_is_there().await;
    cluster.compose(&first, TLS, "down -t 5 --volumes").await;
}
