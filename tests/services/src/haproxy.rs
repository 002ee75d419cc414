//! A load balancer: round robin over servers that say they are ready.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::Command,
};

use tempfile::TempDir;

use crate::{port, process::Process, skip::find_program, wait};

/// A running HAProxy. It asks `/readyz` of every server twice a second, and hands a request on to another server where one fails to answer.
pub struct Haproxy {
    process: Process,
    port: u16,
    _directory: TempDir,
}

impl Haproxy {
    /// Whether it can be started here; otherwise why not.
    pub fn available() -> Result<(), String> {
        program().map(drop).ok_or_else(|| "haproxy is not installed".to_owned())
    }

    /// Starts one in front of the servers at `ports` of this machine, and waits until it listens.
    pub async fn start(ports: &[u16]) -> Self {
        let port = port::free();
        Self::configured(&configuration(port, ports), port).await
    }

    /// Starts one with a configuration that has it listen on `port`, and waits until it does.
    pub async fn configured(configuration: &str, port: u16) -> Self {
        let directory = TempDir::new().expect("a directory");
        let file = directory.path().join("haproxy.cfg");
        fs::write(&file, configuration).expect("the configuration");
        let process = spawn(&file, &directory.path().join("output.log"));
        wait::until("HAProxy listens", async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).await;
        Self { process, port, _directory: directory }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Debian puts it where only the superuser's path leads.
fn program() -> Option<std::path::PathBuf> {
    find_program("haproxy").or_else(|| Some("/usr/sbin/haproxy".into()).filter(|path: &std::path::PathBuf| path.is_file()))
}

fn spawn(file: &Path, log: &Path) -> Process {
    let mut command = Command::new(program().expect("haproxy is installed"));
    command.arg("-db").arg("-f").arg(file);
    Process::spawn(command, log)
}

fn configuration(port: u16, servers: &[u16]) -> String {
    let mut lines = vec![
        "global".to_owned(),
        "  maxconn 2000".to_owned(),
        "defaults".to_owned(),
        "  mode http".to_owned(),
        "  timeout connect 2s".to_owned(),
        "  timeout client 60s".to_owned(),
        "  timeout server 60s".to_owned(),
        "  option redispatch".to_owned(),
        "  retries 2".to_owned(),
        "frontend registry".to_owned(),
        format!("  bind 127.0.0.1:{port}"),
        "  default_backend gateways".to_owned(),
        "backend gateways".to_owned(),
        "  balance roundrobin".to_owned(),
        "  option httpchk GET /readyz".to_owned(),
        "  default-server inter 500ms fall 2 rise 1".to_owned(),
    ];
    lines.extend(servers.iter().map(|server| format!("  server gateway-{server} 127.0.0.1:{server} check")));
    lines.join("\n") + "\n"
}
