//! A registry of its own for one test: the real binary, its configuration, its directories and its log, all gone when the test ends.

mod binary;
mod builder;
mod log;
mod starting;

use std::{
    fs,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    thread,
};

use serde_json::Value;
use tempfile::TempDir;
use zot_services::Process;

use crate::{
    client::{Client, Trust},
    wait,
};

pub(crate) use self::{binary::program, builder::set};
pub use self::{
    binary::{Output, command, everybody_can_run, run},
    builder::Builder,
    log::{Log, OUTAGE},
};
pub use zot_services::process::Signal;

/// A running registry. Dropping it kills its process and fails the test if an unannounced error was logged.
pub struct Sandbox {
    directory: TempDir,
    root: PathBuf,
    config: Value,
    environment: Vec<(String, String)>,
    trust: Option<Trust>,
    descriptors_max: Option<u32>,
    port: u16,
    process: Option<Process>,
    tolerated: Vec<String>,
    /// The user who runs it, if not the one who runs the tests.
    user: Option<u32>,
}

impl Sandbox {
    /// A registry with defaults: a root directory of its own, a free port, log level info, garbage collection off.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A registry to be set up.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Its address, like `http://127.0.0.1:12345`; it keeps its port over restarts.
    pub fn url(&self) -> String {
        let scheme = if self.trust.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// A client of it, with connections of its own.
    pub fn client(&self) -> Client {
        match &self.trust {
            Some(trust) => Client::https(&self.url(), trust),
            None => Client::new(&self.url()),
        }
    }

    /// The root directory of its default store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A directory for the test's own files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.directory.path().join("config.json")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running registry").pid()
    }

    /// Everything it has printed, over restarts too.
    pub fn logs(&self) -> Log {
        Log::read(&self.log_file())
    }

    /// Its peak memory so far, in bytes (`VmHWM`).
    pub fn memory_peak_bytes(&self) -> u64 {
        self.process.as_ref().expect("a running registry").memory_peak_bytes()
    }

    /// Logged errors that contain `text` are part of this test.
    pub fn tolerate_errors(&mut self, text: &str) {
        self.tolerated.push(text.to_owned());
    }

    /// Changes the setting at a path like `/storage/dedupe`, for the next start.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        builder::set(&mut self.config, path, value.into());
    }

    /// A text in its configuration, at a path like `/storage/rootDirectory`.
    pub fn setting(&self, path: &str) -> &str {
        self.config.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {path}"))
    }

    /// Sends a signal to its process.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("a running registry").signal(signal);
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
        self.ended().await
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("a running registry");
        process.ended().await
    }

    /// Starts it again, after killing it if it still runs, and waits until it is ready.
    pub async fn restart(&mut self) {
        self.kill9();
        self.spawn();
        self.ready().await;
    }

    /// Runs another of its commands, like `rebuild`, to its end, with its configuration file and in its environment.
    pub fn run(&self, subcommand: &str) -> Output {
        let mut command = command();
        self.arrange(&mut command, subcommand);
        binary::finished(command)
    }

    fn arrange(&self, command: &mut Command, subcommand: &str) {
        fs::write(self.config_file(), self.config.to_string()).expect("the configuration file");
        command.arg(subcommand).arg(self.config_file()).envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Starts its process without waiting for anything.
    pub fn spawn(&mut self) {
        let mut command = self.descriptors_max.map_or_else(command, binary::command_within);
        self.arrange(&mut command, "serve");
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        self.process = Some(Process::spawn(command, &self.log_file()));
    }

    /// Waits until it is ready; fails the test with its log if it ends or takes too long.
    pub async fn ready(&mut self) {
        let client = self.client();
        let mut process = self.process.take().expect("a running registry");
        let ready = wait::within(wait::PATIENCE, async || {
            assert!(process.is_running(), "the registry ended while starting; its log:\n{}", self.logs());
            client.get("/readyz").try_send().await.is_ok_and(|reply| reply.status == 200)
        });
        assert!(ready.await, "the registry does not become ready; its log:\n{}", self.logs());
        self.process = Some(process);
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("zot.log")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.kill9();
        if thread::panicking() {
            return eprint_log(&self.logs());
        }
        let logs = self.logs();
        let unexpected = logs.errors_without(&self.tolerated);
        assert!(unexpected.is_empty(), "the registry logged errors:\n{}", unexpected.join("\n"));
    }
}

#[expect(clippy::print_stderr, reason = "shown by the test harness when the test fails")]
fn eprint_log(log: &Log) {
    eprintln!("the registry's log ended:\n{}", log.tail());
}
