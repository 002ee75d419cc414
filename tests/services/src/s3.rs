//! An S3 server: SeaweedFS, which checks signatures and keeps objects on disk.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    process::Command,
};

use tempfile::TempDir;

use crate::{guardian, installed, port, process::Process, wait};

/// What the server's one user signs with.
pub const ACCESS_KEY: &str = "AKIATEST";
/// The secret of [`ACCESS_KEY`].
pub const SECRET_KEY: &str = "test-secret-0123456789";
/// The region that requests are signed for.
pub const REGION: &str = "us-east-1";

/// How many ports the server needs, the first one for S3.
const PORTS: usize = 10;
/// The one of them where buckets are directories.
const FILER: usize = 6;

/// More than is kept beside an object's name.
const PROBE_BYTES: usize = 4096;

/// A running S3 server without any bucket.
pub struct S3 {
    process: Process,
    ports: [u16; PORTS],
    directory: TempDir,
}

impl S3 {
    /// Whether it can be started here; otherwise why not.
    pub fn available() -> Result<(), String> {
        program().is_file().then_some(()).ok_or_else(|| format!("{} is not installed", program().display()))
    }

    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        guardian::remove(directory.path());
        let ports = [(); PORTS].map(|()| port::free());
        let process = spawn(&directory, &ports);
        let server = Self { process, ports, directory };
        server.answers().await;
        server
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Creates a bucket, without the signature that S3 itself would want.
    pub fn create_bucket(&self, name: &str) {
        let answer = ask(self.ports[FILER], &format!("POST /buckets/{name}/")).unwrap_or_default();
        assert!(answer.starts_with("HTTP/1.1 201"), "cannot create the bucket {name}: {answer}");
    }

    /// Its process, to be stopped and continued.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills it; what was acknowledged stays on its disk.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again at the same place with the same content.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(&self.directory, &self.ports);
        self.answers().await;
    }

    async fn answers(&self) {
        // It refuses requests without a signature as soon as it serves any; until it has found its volumes again, it answers them with 500.
        wait::until("the S3 server answers", async || refuses(self.ports[0])).await;
        wait::until("the S3 server stores something", async || stores(self.ports[FILER])).await;
    }
}

fn program() -> PathBuf {
    installed().join("py/bin/weed")
}

fn spawn(directory: &TempDir, ports: &[u16; PORTS]) -> Process {
    let path = |name: &str| directory.path().join(name);
    for name in ["data", "log"] {
        fs::create_dir_all(path(name)).expect("a directory");
    }
    let identity = format!(
        r#"{{"identities":[{{"name":"test","credentials":[{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
    );
    fs::write(path("s3.json"), identity).expect("the file of identities");
    let mut command = Command::new(program());
    command.env("GOMEMLIMIT", "384MiB").env("GOMAXPROCS", "2");
    command.arg(format!("-logdir={}", path("log").display())).arg("-v=0").arg("mini");
    command.arg(format!("-dir={}", path("data").display())).arg(format!("-s3.config={}", path("s3.json").display()));
    command.args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
    command.args(["-admin.ui=false", "-webdav=false", "-master.telemetry=false"]);
    let names = ["s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc"];
    let names = names.into_iter().chain(["filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc"]);
    command.args(names.zip(ports).map(|(name, port)| format!("-{name}={port}")));
    Process::spawn(command, &path("output.log"))
}

/// Whether what is sent to the port is kept on a volume.
fn stores(port: u16) -> bool {
    ask_with(port, "PUT /probe", &"x".repeat(PROBE_BYTES)).is_some_and(|answer| answer.starts_with("HTTP/1.1 201"))
}

/// Whether the port answers HTTP at all.
fn refuses(port: u16) -> bool {
    ask(port, "GET /").is_some_and(|answer| answer.starts_with("HTTP/1.1 403"))
}

/// The answer to a request without headers or body.
fn ask(port: u16, request: &str) -> Option<String> {
    ask_with(port, request, "")
}

fn ask_with(port: u16, request: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    let length = body.len();
    let request = format!("{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok().map(|_| answer)
}
