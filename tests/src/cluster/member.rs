//! One process of a cluster: a gateway or a storage node.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use serde_json::Value;
use zot_services::{Process, process::Signal};

use crate::{
    client::{Client, Trust},
    sandbox::{Log, program, set},
};

/// A process of a cluster, over restarts.
pub struct Member {
    name: String,
    binary: &'static str,
    directory: PathBuf,
    config: Value,
    environment: Vec<(String, String)>,
    port: u16,
    trust: Option<Trust>,
    process: Option<Process>,
}

impl Member {
    /// A process that has not started; `port` is where it is reached: the HTTP of a gateway, the internal plane of a node.
    pub(super) fn new(binary: &'static str, directory: PathBuf, config: Value, environment: Vec<(String, String)>, port: u16) -> Self {
        let name = directory.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        fs::create_dir_all(&directory).expect("a directory");
        Self { name, binary, directory, config, environment, port, trust: None, process: None }
    }

    /// The same gateway, whose clients use TLS if there is something to trust.
    pub(super) fn trusting(self, trust: Option<Trust>) -> Self {
        Self { trust, ..self }
    }

    /// What it is called: `gateway-0`, `node-2`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is reached: the HTTP of a gateway, the internal plane of a node.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// A client of this gateway alone, with connections of its own.
    pub fn client(&self) -> Client {
        match &self.trust {
            Some(trust) => Client::https(&self.url(), trust),
            None => Client::new(&self.url()),
        }
    }

    /// The address of this gateway, like `http://127.0.0.1:12345`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.trust.is_some() { "https" } else { "http" }, self.address())
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.directory.join("config.json")
    }

    /// Its own directory, in which `root` is that of its storage.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Everything it has printed, over restarts too.
    pub fn logs(&self) -> Log {
        Log::read(&self.log_file())
    }

    /// Changes a setting for its next start.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        set(&mut self.config, path, value.into());
    }

    /// Sets a variable of its environment for its next start.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts its process without waiting for anything.
    pub fn spawn(&mut self) {
        fs::write(self.config_file(), self.config.to_string()).expect("the configuration file");
        let mut command = program(self.binary);
        command.arg("serve").arg(self.config_file()).envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.process = Some(Process::spawn(command, &self.log_file()));
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running process").pid()
    }

    /// Whether its process runs, or is stopped.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// Whether its process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| !process.is_running())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("a running process").signal(signal);
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Asks it to end with SIGTERM and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.process.take().expect("a running process").ended().await
    }

    /// Its peak memory so far, in bytes, if it runs.
    pub fn memory_peak_bytes(&self) -> Option<u64> {
        self.process.as_ref().map(Process::memory_peak_bytes)
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("log")
    }
}
