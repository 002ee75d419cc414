//! The docker engine over TLS. It holds 127.0.0.0/8 for insecure and looks for no certificates there: in a network of its own, registries have
//! another address.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use zot_tests::{in_each_shape, shapes::Shape};

use crate::{
    authority::{Authority, ELSEWHERE, Served},
    docker::Engine,
    passwords::PASSWORD,
};

/// What it says of a registry whose authority it does not know.
const UNKNOWN_AUTHORITY: &str = "x509: certificate signed by unknown authority";
/// What it says of 401 where nobody has logged in.
const UNAUTHORIZED: &str = "no basic auth credentials";

/// An engine that reaches only what it is led to, and trusts nobody yet.
struct Apart {
    engine: Engine,
    ways: JoinSet<()>,
}

impl Apart {
    async fn start() -> Option<Self> {
        let engine = Engine::start_apart(|home| {
            let settings = settings(home);
            fs::create_dir(&settings).expect("a directory");
            // The engine reads certificates only from there. What is mounted in its namespace nobody else sees, and it is gone with it.
            let mount = format!("mkdir -p /etc/docker\nmount --bind {} /etc/docker", settings.display());
            format!("{mount}\nip address add {ELSEWHERE}/32 dev lo\nexport NO_PROXY='*'")
        });
        Some(Self { engine: engine.await?, ways: JoinSet::new() })
    }

    /// Leads it to a registry, and gives the address by which it gets there.
    fn reach(&mut self, registry: &Served) -> SocketAddr {
        let address = SocketAddr::from((ELSEWHERE, registry.address().port()));
        self.ways.spawn(lead(self.engine.listen(address), registry.address()));
        address
    }

    /// Where it looks for what it trusts and shows at `address`. It looks for each command anew.
    fn certificates(&self, address: SocketAddr) -> PathBuf {
        let directory = settings(self.engine.home()).join("certs.d").join(address.to_string());
        fs::create_dir_all(&directory).expect("a directory");
        directory
    }

    /// Commands that must fail say why.
    async fn refused(&self, lines: &[&str], reason: &str) {
        for line in lines {
            let told = self.engine.refused(line).await;
            assert!(told.contains(reason), "{line}: {told}");
        }
    }

    /// Pushes and pulls an image that it has.
    async fn carries(&self, image: &str) {
        let made = self.engine.id(image).await;
        self.engine.run(&format!("push {image}")).await;
        self.engine.run(&format!("rmi {image}")).await;
        self.engine.run(&format!("pull {image}")).await;
        assert_eq!(self.engine.id(image).await, made);
    }
}

/// What it has in the place of `/etc/docker`.
fn settings(home: &Path) -> PathBuf {
    home.join("settings")
}

/// Passes connections on to `target`, whose network is this process's.
async fn lead(listener: TcpListener, target: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        connections.spawn(async move {
            let mut server = TcpStream::connect(target).await?;
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}

async fn with_a_password(shape: Shape) {
    let Some(mut docker) = Apart::start().await else { return };
    let authority = Authority::new();
    let registry = authority.registry_of_alice(shape).await;
    let address = docker.reach(&registry);
    let image = format!("{address}/a/b:v1");
    let (login, push, pull) = (format!("login -u alice -p {PASSWORD} {address}"), format!("push {image}"), format!("pull {image}"));
    docker.engine.make(&image).await;
    docker.refused(&[&login, &push, &pull], UNKNOWN_AUTHORITY).await;
    let ca = authority.write(&docker.certificates(address).join("ca.crt"));
    docker.refused(&[&push, &pull], UNAUTHORIZED).await;
    docker.engine.run(&login).await;
    docker.carries(&image).await;
    fs::remove_file(ca).expect("the authority's file");
    docker.refused(&[&push, &pull], UNKNOWN_AUTHORITY).await;
}

async fn with_a_certificate(shape: Shape) {
    let Some(mut docker) = Apart::start().await else { return };
    let authority = Authority::new();
    let alice = authority.issue(docker.engine.home(), "alice");
    let registry = authority.registry_for(shape, &alice).await;
    let address = docker.reach(&registry);
    let image = format!("{address}/a/b:v1");
    let (push, pull) = (format!("push {image}"), format!("pull {image}"));
    docker.engine.make(&image).await;
    docker.refused(&[&push, &pull], UNKNOWN_AUTHORITY).await;
    let certificates = docker.certificates(address);
    authority.write(&certificates.join("ca.crt"));
    docker.refused(&[&push, &pull], UNAUTHORIZED).await;
    let shown = [(&alice.certificate, certificates.join("client.cert")), (&alice.key, certificates.join("client.key"))];
    for (from, to) in &shown {
        fs::copy(from, to).expect("a certificate or its key");
    }
    docker.carries(&image).await;
    for (_, file) in &shown {
        fs::remove_file(file).expect("a certificate or its key");
    }
    docker.refused(&[&push, &pull], UNAUTHORIZED).await;
}

in_each_shape!(docker_trusts_our_authority_and_logs_in, with_a_password);
in_each_shape!(docker_shows_its_certificate, with_a_certificate);
