//! Counting how often a server makes the disk write: strace watches it during a short load of its
//! own, because a traced process is no longer a fast one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

const CALLS: [&str; 4] = ["fsync", "fdatasync", "sync_file_range", "syncfs"];
const ATTACH_MAX: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// Why fsyncs cannot be counted here, if they cannot.
pub(crate) fn unavailable() -> Option<String> {
    let tried = Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.err().map(|error| format!("strace: {error}"))
}

/// A running strace.
#[derive(Debug)]
pub(crate) struct Count {
    strace: Child,
    summary: PathBuf,
}

impl Count {
    /// Attaches to every thread of a process.
    pub(crate) fn start(pid: u32, scratch: &Path) -> anyhow::Result<Self> {
        let (summary, messages) = (scratch.join("strace-summary"), scratch.join("strace-messages"));
        let strace = Command::new("strace")
            .args(["-f", "-c", "-e"])
            .arg(format!("trace={}", CALLS.join(",")))
            .arg("-o")
            .arg(&summary)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stderr(File::create(&messages)?)
            .spawn()
            .context("start strace")?;
        let mut count = Self { strace, summary };
        count.wait_until_attached(&messages)?;
        Ok(count)
    }

    fn wait_until_attached(&mut self, messages: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + ATTACH_MAX;
        loop {
            let text = fs::read_to_string(messages).unwrap_or_default();
            if text.contains(" attached") {
                return Ok(());
            }
            if self.strace.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("strace did not attach: {}", text.trim());
            }
            thread::sleep(POLL);
        }
    }

    /// Detaches and returns how many calls were made.
    pub(crate) fn finish(mut self) -> anyhow::Result<u64> {
        let pid = Pid::from_child(&self.strace);
        kill_process(pid, Signal::INT).context("end strace")?;
        self.strace.wait().context("wait for strace")?;
        let summary = fs::read_to_string(&self.summary).context("read strace's summary")?;
        Ok(calls(&summary))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        // After `finish` there is nothing left to end.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// Adds up the fourth column of the lines that end in one of the calls.
fn calls(summary: &str) -> u64 {
    let count = |line: &str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let call = columns.last().filter(|name| CALLS.contains(name));
        call.and_then(|_| columns.get(3)?.parse::<u64>().ok()).unwrap_or(0)
    };
    summary.lines().map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_added_up_with_and_without_errors() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 90.00    0.001000          10       100           fsync
 10.00    0.000100          10        11         1 fdatasync
------ ----------- ----------- --------- --------- ----------------
100.00    0.001100          10       111         1 total
";
        assert_eq!(calls(summary), 111);
        assert_eq!(calls(""), 0);
    }
}
