//! What the figures were taken on: without it they say nothing.

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::Context;
use serde::Serialize;

/// File system types as `statfs` numbers them.
const TMPFS_MAGIC: i64 = 0x0102_1994;
const EXT_MAGIC: i64 = 0xef53;
const XFS_MAGIC: i64 = 0x5846_5342;
const BTRFS_MAGIC: i64 = 0x9123_683e;
const OVERLAY_MAGIC: i64 = 0x794c_7630;

/// The machine and its state at the start of the run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) kernel: String,
    pub(crate) file_system: String,
    /// Load average of the last minute: above a few tenths, something else was running.
    pub(crate) load_before: f64,
}

/// Describes this machine and the disk of `directory`.
pub(crate) fn describe(directory: &Path) -> anyhow::Result<Machine> {
    let cpuinfo = read("/proc/cpuinfo")?;
    let load = read("/proc/loadavg")?;
    Ok(Machine {
        cores: thread::available_parallelism().map_or(1, usize::from),
        processor: field(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
        kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        file_system: file_system(directory)?,
        load_before: load.split(' ').next().and_then(|one| one.parse().ok()).unwrap_or(0.0),
    })
}

/// Whether files in `directory` are kept in memory only.
pub(crate) fn is_memory(directory: &Path) -> anyhow::Result<bool> {
    Ok(magic(directory)? == TMPFS_MAGIC)
}

fn file_system(directory: &Path) -> anyhow::Result<String> {
    Ok(match magic(directory)? {
        EXT_MAGIC => "ext4".to_owned(),
        XFS_MAGIC => "xfs".to_owned(),
        BTRFS_MAGIC => "btrfs".to_owned(),
        OVERLAY_MAGIC => "overlay".to_owned(),
        other => format!("{other:#x}"),
    })
}

fn magic(directory: &Path) -> anyhow::Result<i64> {
    let found = rustix::fs::statfs(directory).with_context(|| format!("read the file system of {}", directory.display()))?;
    Ok(found.f_type)
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {path}"))
}

/// The value of the first `key : value` line.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim())
}
