//! The child process of a sandbox: spawned, signalled, waited for; never another.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, ExitStatus},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// A child that dies with its owner.
pub(super) struct Process {
    child: Child,
}

impl Process {
    /// Spawns `command`; what it prints is appended to `log`.
    pub(super) fn spawn(mut command: Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).expect("the log file");
        command.stdout(log.try_clone().expect("the log file")).stderr(log);
        Self { child: command.spawn().expect("the zot binary starts") }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is there");
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the state of the process").is_none()
    }

    pub(super) fn kill(&mut self) {
        // Fails only if it has ended already.
        self.child.kill().ok();
        self.child.wait().expect("the end of the process");
    }

    pub(super) async fn ended(&mut self) -> ExitStatus {
        wait::until("the registry ends", async || !self.is_running()).await;
        self.child.wait().expect("the end of the process")
    }

    pub(super) fn memory_peak_bytes(&self) -> u64 {
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
