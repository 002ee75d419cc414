//! A Redis server.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::Command,
};

use tempfile::TempDir;

use crate::{port, process::Process, skip::find_program, wait};

/// A running Redis server that keeps nothing on disk.
pub struct Redis {
    process: Process,
    port: u16,
    directory: TempDir,
}

impl Redis {
    /// Whether it can be started here; otherwise why not.
    pub fn available() -> Result<(), String> {
        find_program("redis-server").map(drop).ok_or_else(|| "redis-server is not installed".to_owned())
    }

    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        let port = port::free();
        let process = spawn(&directory, port);
        let server = Self { process, port, directory };
        server.answers().await;
        server
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its process, to be stopped and continued.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills it; everything it knew is lost.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again at the same place, empty.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(&self.directory, self.port);
        self.answers().await;
    }

    async fn answers(&self) {
        wait::until("the Redis server answers", async || pongs(self.port)).await;
    }
}

fn spawn(directory: &TempDir, port: u16) -> Process {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command.arg("--port").arg(port.to_string()).arg("--dir").arg(directory.path());
    Process::spawn(command, &directory.path().join("output.log"))
}

fn pongs(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let mut answer = [0; 5];
    stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut answer)).is_ok() && &answer == b"+PONG"
}
