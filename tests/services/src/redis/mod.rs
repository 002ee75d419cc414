//! Redis in every form: one server, with a password, with TLS; sentinels over a primary and a replica; a cluster.

mod cluster;
mod sentinels;

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    authority::{self, issue},
    guardian, port,
    process::Process,
    skip::find_program,
    wait,
};
pub use cluster::RedisCluster;
pub use sentinels::{MASTER_NAME, RedisSentinels};

/// What the servers that want a password want.
pub const PASSWORD: &str = "p@ss word/+";

/// The socket of a server without a password, in its directory.
const SOCKET: &str = "redis.sock";

/// How a server is told to use what [`issue`] wrote into its directory.
const TLS: [&str; 10] = [
    "--port",
    "0",
    "--tls-cert-file",
    authority::CERTIFICATE,
    "--tls-key-file",
    authority::KEY,
    "--tls-ca-cert-file",
    authority::FILE,
    "--tls-auth-clients",
    "no",
];

/// A running Redis server that keeps nothing on disk.
pub struct Redis {
    process: Process,
    port: u16,
    mode: Mode,
    directory: TempDir,
}

/// How a server is spoken to.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Plain,
    Password,
    Tls,
}

impl Redis {
    /// Whether it can be started here; otherwise why not.
    pub fn available() -> Result<(), String> {
        let missing = ["redis-server", "redis-cli"].into_iter().find(|program| find_program(program).is_none());
        missing.map_or(Ok(()), |program| Err(format!("{program} is not installed")))
    }

    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        Self::start_as(Mode::Plain).await
    }

    /// Starts a server that wants [`PASSWORD`].
    pub async fn start_with_password() -> Self {
        Self::start_as(Mode::Password).await
    }

    /// Starts a server that speaks TLS only; its certificate is for 127.0.0.1, from [`Self::authority`].
    pub async fn start_with_tls() -> Self {
        Self::start_as(Mode::Tls).await
    }

    async fn start_as(mode: Mode) -> Self {
        let directory = TempDir::new().expect("a directory");
        guardian::remove(directory.path());
        if mode == Mode::Tls {
            issue(directory.path());
        }
        let port = port::free();
        let process = mode.spawn(directory.path(), port);
        let server = Self { process, port, mode, directory };
        server.answers().await;
        server
    }

    /// Its URL, the password included.
    pub fn url(&self) -> String {
        match self.mode {
            Mode::Plain => format!("redis://127.0.0.1:{}", self.port),
            Mode::Password => format!("redis://:p%40ss%20word%2F%2B@127.0.0.1:{}", self.port),
            Mode::Tls => format!("rediss://127.0.0.1:{}", self.port),
        }
    }

    /// The URL of its socket, where a server without a password listens too.
    pub fn socket_url(&self) -> String {
        format!("unix://{}", self.directory.path().join(SOCKET).display())
    }

    /// Its port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The PEM file of the authority that issued its certificate, if it speaks TLS.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join(authority::FILE)
    }

    /// Its process, to be stopped and continued.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Every key of a server without a password.
    pub fn keys(&self) -> Vec<String> {
        ask(self.port, &["KEYS", "*"]).split_whitespace().map(str::to_owned).collect()
    }

    /// Kills it; everything it knew is lost.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again at the same place, empty.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = self.mode.spawn(self.directory.path(), self.port);
        self.answers().await;
    }

    async fn answers(&self) {
        let answers = async || if self.mode == Mode::Tls { listens(self.port) } else { pongs(self.port) };
        wait::until("the Redis server answers", answers).await;
    }
}

impl Mode {
    fn spawn(self, directory: &Path, port: u16) -> Process {
        match self {
            Self::Plain => spawn(directory, port, &["--unixsocket", SOCKET]),
            Self::Password => spawn(directory, port, &["--requirepass", PASSWORD]),
            Self::Tls => spawn(directory, port, &TLS),
        }
    }
}

/// Spawns a server whose `directory` holds all it needs.
fn spawn(directory: &Path, port: u16, options: &[&str]) -> Process {
    let mut command = Command::new("redis-server");
    command.current_dir(directory).args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    let listen = if options.contains(&"--tls-cert-file") { "--tls-port" } else { "--port" };
    command.arg(listen).arg(port.to_string()).arg("--dir").arg(directory).args(options);
    Process::spawn(command, &directory.join("output.log"))
}

/// A directory of its own for a server among several.
fn room(directory: &TempDir, port: u16) -> PathBuf {
    let room = directory.path().join(port.to_string());
    fs::create_dir_all(&room).expect("a directory");
    room
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether the server greets back, be it to ask for a password.
fn pongs(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let mut answer = [0; 5];
    let answered = stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut answer)).is_ok();
    answered && matches!(&answer, b"+PONG" | b"-NOAU")
}

/// What a server says to a command.
fn ask(port: u16, command: &[&str]) -> String {
    let output = Command::new("redis-cli").arg("-p").arg(port.to_string()).args(command).output().expect("redis-cli runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
