//! The docker engine: a daemon of its own for each test, whose client is the one that most people have.

use std::{fs, net::SocketAddr, path::Path};

use tokio::net::TcpListener;
use zot_tests::{Sandbox, skip::skip};

use crate::{
    daemon::Daemon,
    layout::{Layout, Packing, archive},
    program::{Program, this_test},
};

/// An engine without networks and firewall rules: it only pushes and pulls.
pub(crate) struct Engine {
    docker: Program,
    socket: String,
    daemon: Daemon,
    home: Program,
}

impl Engine {
    /// One in the network of this machine.
    pub(crate) async fn start() -> Option<Self> {
        Self::find_and_start(None).await
    }

    /// One with a network of its own, after what the lines of shell do that `prepare` gives for its home.
    pub(crate) async fn start_apart(prepare: fn(&Path) -> String) -> Option<Self> {
        Self::find_and_start(Some(prepare)).await
    }

    async fn find_and_start(apart: Option<fn(&Path) -> String>) -> Option<Self> {
        let (docker, dockerd, unshare) = (Program::find("docker")?, Program::find("dockerd")?, Program::find("unshare")?);
        match Self::try_start(docker, &dockerd, unshare, apart).await {
            Ok(engine) => Some(engine),
            Err(reason) => {
                skip(&this_test("docker"), &reason);
                None
            }
        }
    }

    async fn try_start(docker: Program, dockerd: &Program, unshare: Program, apart: Option<fn(&Path) -> String>) -> Result<Self, String> {
        let home = unshare.home().display().to_string();
        let socket = format!("unix://{home}/socket");
        let options = "--iptables=false --ip6tables=false --ip-masq=false --bridge=none --storage-driver vfs --log-level warn";
        let places = format!("--data-root {home}/data --exec-root {home}/exec -p {home}/pid -H {socket}");
        let line = format!("{} {options} {places}", dockerd.path().display());
        let mut daemon = match apart {
            Some(prepare) => Daemon::start_apart(&unshare, &prepare(unshare.home()), &line).await?,
            // An engine without a bridge takes the bridge of another one away.
            None if Path::new("/sys/class/net/docker0").exists() => return Err("another docker engine runs on this machine".to_owned()),
            None => Daemon::start(&unshare, &line).await?,
        };
        daemon.answers(&docker, &format!("-H {socket} version")).await?;
        Ok(Self { docker, socket, daemon, home: unshare })
    }

    /// A directory of its own.
    pub(crate) fn home(&self) -> &Path {
        self.home.home()
    }

    /// Listens in its network.
    pub(crate) fn listen(&self, address: SocketAddr) -> TcpListener {
        self.daemon.listen(address)
    }

    pub(crate) async fn run(&self, line: &str) -> String {
        self.docker.run(&format!("-H {} {line}", self.socket)).await
    }

    /// Runs a command that must fail, and gives what it said.
    pub(crate) async fn refused(&self, line: &str) -> String {
        self.docker.refused(&format!("-H {} {line}", self.socket)).await
    }

    /// Makes the image `name` of one file.
    pub(crate) async fn make(&self, name: &str) -> String {
        let file = self.docker.home().join("image.tar");
        fs::write(&file, archive("file", b"made by docker")).expect("an archive");
        self.run(&format!("import {} {name}", file.display())).await.trim().to_owned()
    }

    pub(crate) async fn id(&self, image: &str) -> String {
        self.run(&format!("image inspect --format {{{{.Id}}}} {image}")).await.trim().to_owned()
    }
}

#[tokio::test]
async fn docker_pushes_and_pulls_where_schema_2_is_allowed() {
    let Some(engine) = Engine::start().await else { return };
    let registry = Sandbox::builder().set("/http/compat", serde_json::json!(["docker2s2"])).start().await;
    let image = format!("{}/a/b:v1", registry.address());
    let made = engine.make(&image).await;
    engine.run(&format!("push {image}")).await;
    let second = format!("{}/other:v2", registry.address());
    engine.run(&format!("tag {image} {second}")).await;
    engine.run(&format!("push {second}")).await;
    engine.run(&format!("rmi {image} {second}")).await;
    for image in [image, second] {
        engine.run(&format!("pull {image}")).await;
        assert_eq!(engine.id(&image).await, made);
    }
    assert_eq!(registry.client().tags("a/b").await, ["v1"]);
}

#[tokio::test]
async fn docker_is_told_why_schema_2_is_refused_and_pulls_oci_images_all_the_same() {
    let Some(engine) = Engine::start().await else { return };
    let Some(skopeo) = Program::find("skopeo") else { return };
    let registry = Sandbox::start().await;
    let image = format!("{}/a/b:v1", registry.address());
    engine.make(&image).await;
    let told = engine.refused(&format!("push {image}")).await;
    assert!(told.contains("docker schema 2 is accepted only with `docker2s2` in `http.compat`"), "{told}");
    let mut layout = Layout::create(skopeo.home().join("source"));
    let images = [layout.image(1, "amd64", Packing::Gzip), layout.image(2, "arm64", Packing::Gzip)];
    let index = layout.index(&images);
    layout.tag("v1", &index);
    let (from, remote) = (format!("oci:{}:v1", layout.path().display()), format!("{}/oci:v1", registry.address()));
    skopeo.run(&format!("--insecure-policy copy -q --all --preserve-digests --dest-tls-verify=false {from} docker://{remote}")).await;
    let pulled = engine.run(&format!("pull {remote}")).await;
    assert!(pulled.contains(layout.digest("v1")), "{pulled}");
}
