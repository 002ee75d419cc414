//! What a process has spent and holds, as the kernel counts it in `/proc`.

use std::fs;
use std::iter::Sum;
use std::time::Duration;

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};

/// The unit of times in `/proc/PID/stat`: fixed at 100 a second in what Linux shows to programs.
const TICK: Duration = Duration::from_millis(10);

/// What a process has spent since it began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time of all threads, also of ended ones.
    pub(crate) cpu: Duration,
    /// Bytes it caused to be written to a disk.
    pub(crate) written: u64,
}

impl Usage {
    /// Reads the counters of a process.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let io = read(&format!("/proc/{pid}/io"))?;
        Ok(Self { cpu: cpu(pid)?, written: number(&io, "write_bytes:").unwrap_or(0) })
    }

    /// What was spent since an earlier reading.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(earlier.cpu), written: self.written.saturating_sub(earlier.written) }
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self { cpu: sum.cpu + one.cpu, written: sum.written + one.written })
    }
}

/// What a process holds in memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

impl Memory {
    /// Reads the memory of a process.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = read(&format!("/proc/{pid}/status"))?;
        let kibibytes = |key| number(&status, key).unwrap_or(0) << 10;
        Ok(Self { resident: kibibytes("VmRSS:"), peak: kibibytes("VmHWM:") })
    }
}

impl Sum for Memory {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self { resident: sum.resident + one.resident, peak: sum.peak + one.peak })
    }
}

/// Sets the peak of a process's memory back to what it holds now.
pub(crate) fn forget_peak(pid: u32) -> anyhow::Result<()> {
    let path = format!("/proc/{pid}/clear_refs");
    fs::write(&path, "5").with_context(|| format!("write {path}"))
}

/// CPU time of this process.
pub(crate) fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// CPU time that this machine has spent on anything, or was denied by its host.
pub(crate) fn machine_cpu() -> anyhow::Result<Duration> {
    busy(&read("/proc/stat")?).map(|ticks| TICK * ticks).context("read times in /proc/stat")
}

/// All columns of the first line but idle (4) and waiting for a disk (5); guests are in user time.
fn busy(stat: &str) -> Option<u32> {
    let columns = stat.lines().next()?.split_whitespace().skip(1).take(8);
    let ticks: Vec<u32> = columns.map(str::parse).collect::<Result<_, _>>().ok()?;
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some(ticks.iter().sum::<u32>() - idle)
}

fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = read(&path)?;
    ticks(&stat).map(|ticks| TICK * ticks).with_context(|| format!("read times in {path}"))
}

/// User and system time: fields 14 and 15, counted after the name, which may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn number(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_spaces() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 0 0 20 0";
        assert_eq!(ticks(stat), Some(23));
    }

    #[test]
    fn a_machine_is_busy_when_it_neither_idles_nor_waits() {
        assert_eq!(busy("cpu  1 2 4 1000 2000 8 16 32 64 128\ncpu0 1"), Some(1 + 2 + 4 + 8 + 16 + 32));
    }

    #[test]
    fn this_process_holds_memory() {
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.resident > 0 && memory.peak >= memory.resident);
    }
}
