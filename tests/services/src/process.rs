//! A child process of a test: spawned, signalled, waited for; never another.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, ExitStatus},
};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::{guardian, wait};

/// A child that dies with its owner, and with the test binary at the latest.
pub struct Process {
    child: Child,
}

impl Process {
    /// Spawns `command`; what it prints is appended to `log`.
    pub fn spawn(mut command: Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).expect("the log file");
        command.stdout(log.try_clone().expect("the log file")).stderr(log);
        let child = command.spawn().expect("the program starts");
        guardian::kill(child.id());
        Self { child }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is there");
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the state of the process").is_none()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        // Fails only if it has ended already.
        self.child.kill().ok();
        self.child.wait().expect("the end of the process");
        guardian::spare(self.child.id());
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        wait::until("the process ends", async || !self.is_running()).await;
        self.child.wait().expect("the end of the process")
    }

    /// Its peak memory so far, in bytes (`VmHWM`).
    pub fn memory_peak_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
