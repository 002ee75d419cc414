//! Containerd, which pulls for kubernetes, driven by its own client.

use std::fs;

use zot_tests::{Sandbox, shapes::Shape, skip::skip};

use crate::{
    authority::{Authority, Served},
    daemon::Daemon,
    layout::{Layout, Packing},
    program::{Program, this_test},
};

/// A containerd that keeps images as plain files.
struct Containerd {
    ctr: Program,
    socket: String,
    _daemon: Daemon,
    _home: Program,
}

impl Containerd {
    async fn start() -> Option<Self> {
        Program::find("zstd")?;
        let (ctr, containerd, unshare) = (Program::find("ctr")?, Program::find("containerd")?, Program::find("unshare")?);
        match Self::try_start(ctr, &containerd, unshare).await {
            Ok(containerd) => Some(containerd),
            Err(reason) => {
                skip(&this_test("containerd"), &reason);
                None
            }
        }
    }

    async fn try_start(ctr: Program, containerd: &Program, unshare: Program) -> Result<Self, String> {
        let home = unshare.home().display().to_string();
        let (settings, socket) = (unshare.home().join("config.toml"), format!("{home}/socket"));
        let cri = r#"disabled_plugins = ["io.containerd.grpc.v1.cri"]"#;
        let text = format!("version = 2\nroot = \"{home}/root\"\nstate = \"{home}/state\"\n{cri}\n[grpc]\naddress = \"{socket}\"\n");
        fs::write(&settings, text).expect("the daemon's settings");
        let mut daemon = Daemon::start(&unshare, &format!("{} -c {}", containerd.path().display(), settings.display())).await?;
        daemon.answers(&ctr, &format!("-a {socket} version")).await?;
        Ok(Self { ctr, socket, _daemon: daemon, _home: unshare })
    }

    async fn images(&self, line: &str) -> String {
        self.ctr.run(&format!("-a {} images {line}", self.socket)).await
    }
}

#[tokio::test]
async fn containerd_pulls_unpacks_and_pushes_all_platforms() {
    let Some(containerd) = Containerd::start().await else { return };
    let Some(skopeo) = Program::find("skopeo") else { return };
    let registry = Sandbox::start().await;
    let mut layout = Layout::create(skopeo.home().join("source"));
    let images = [layout.image(1, "amd64", Packing::Zstd), layout.image(2, "arm64", Packing::Gzip)];
    let index = layout.index(&images);
    layout.tag("v1", &index);
    let (image, copy) = (format!("{}/a/b:v1", registry.address()), format!("{}/copy:v1", registry.address()));
    let from = format!("oci:{}:v1", layout.path().display());
    skopeo.run(&format!("--insecure-policy copy -q --all --preserve-digests --dest-tls-verify=false {from} docker://{image}")).await;
    containerd.images(&format!("pull --plain-http --snapshotter native --all-platforms {image}")).await;
    containerd.images(&format!("tag {image} {copy}")).await;
    containerd.images(&format!("push --plain-http {copy}")).await;
    let pushed = registry.client().head("/v2/copy/manifests/v1").await.expect(200);
    assert_eq!(pushed.header("docker-content-digest"), layout.digest("v1"));
}

#[tokio::test]
async fn containerd_trusts_our_authority_and_shows_its_certificate() {
    let Some(containerd) = Containerd::start().await else { return };
    let Some(crane) = Program::find("crane") else { return };
    let authority = Authority::new();
    let ca = authority.write(&crane.home().join("ca.crt")).display().to_string();
    let identity = authority.issue(crane.home(), "me");
    let (plain, both) = (authority.registry(Shape::AllInOne).await, authority.registry_for(Shape::AllInOne, &identity).await);
    let layout = Layout::with_image(crane.home().join("source"), "v1");
    let crane = crane.environment("SSL_CERT_FILE", &ca);
    crane.run(&format!("push {} localhost:{}/a/b:v1", layout.path().display(), plain.address().port())).await;
    let trusting = hosts(&containerd, "trusting", &[&plain, &both], &format!("ca = \"{ca}\""));
    let shown = format!("client = [[\"{}\", \"{}\"]]", identity.certificate.display(), identity.key.display());
    let known = hosts(&containerd, "known", &[&both], &format!("ca = \"{ca}\"\n{shown}"));
    let (image, copy) = (format!("{}/a/b:v1", plain.address()), format!("{}/copy:v1", both.address()));
    containerd.images(&format!("pull --hosts-dir {trusting} --snapshotter native {image}")).await;
    containerd.images(&format!("tag {image} {copy}")).await;
    containerd.ctr.refused(&format!("-a {} images push --hosts-dir {trusting} {copy}", containerd.socket)).await;
    containerd.images(&format!("push --hosts-dir {known} {copy}")).await;
    let pushed = both.client().head("/v2/copy/manifests/v1").await.expect(200);
    assert_eq!(pushed.header("docker-content-digest"), layout.digest("v1"));
}

/// A directory that tells containerd what to trust and show.
fn hosts(containerd: &Containerd, name: &str, registries: &[&Served], settings: &str) -> String {
    let directory = containerd.ctr.home().join(name);
    for registry in registries {
        let of_registry = directory.join(registry.address().to_string());
        fs::create_dir_all(&of_registry).expect("a directory");
        let (url, can) = (registry.url(), r#"capabilities = ["pull", "resolve", "push"]"#);
        fs::write(of_registry.join("hosts.toml"), format!("server = \"{url}\"\n[host.\"{url}\"]\n{can}\n{settings}\n")).expect("a file");
    }
    directory.display().to_string()
}
