//! What one core of this machine can do at best with a pushed blob: receive it, hash it, write it.
//! A registry cannot be faster than this on one core, so its pushes are read against it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use aws_lc_rs::digest;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::plan::{MIB, Plan};

pub(crate) const NAME: &str = "reference";
/// Size of each blob received.
const BLOB_BYTES: u64 = 32 * MIB;
const RECEIVE_BYTES: usize = 256 << 10;

/// The speed of one way to take a blob in.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reference {
    pub(crate) what: &'static str,
    /// By the clock, with the sender on another core.
    pub(crate) mib_per_second: f64,
    /// By the CPU time of the receiving thread: what it would do if it never had to wait.
    pub(crate) mib_per_cpu_second: f64,
}

#[derive(Clone, Copy)]
struct Steps {
    what: &'static str,
    hash: bool,
    write: bool,
    sync: bool,
}

/// The way that a push is held against.
const PUSH: &str = "receive + SHA-256 + write";

const WAYS: [Steps; 4] = [
    Steps { what: "receive", hash: false, write: false, sync: false },
    Steps { what: "receive + SHA-256", hash: true, write: false, sync: false },
    Steps { what: PUSH, hash: true, write: true, sync: false },
    Steps { what: "receive + SHA-256 + write + fdatasync", hash: true, write: true, sync: true },
];

/// What one core can take in, in MiB a second, if it was measured.
pub(crate) fn of_a_push(lines: &[Reference]) -> Option<f64> {
    let line = lines.iter().find(|line| line.what == PUSH)?;
    Some(line.mib_per_second)
}

/// Measures every way, one connection at a time.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> anyhow::Result<Vec<Reference>> {
    let blobs = plan.reference_bytes.div_ceil(BLOB_BYTES);
    WAYS.iter().map(|steps| one(*steps, blobs, scratch)).collect()
}

fn one(steps: Steps, blobs: u64, scratch: &Path) -> anyhow::Result<Reference> {
    rustix::fs::sync();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
    let address = listener.local_addr()?;
    let (elapsed, cpu) = thread::scope(|scope| {
        let sender = scope.spawn(move || send(TcpStream::connect(address)?, blobs * BLOB_BYTES));
        let taken = listener.accept().map_err(anyhow::Error::from);
        let taken = taken.and_then(|(stream, _)| receive(stream, steps, blobs, scratch));
        sender.join().map_err(|_| anyhow!("the sender panicked"))??;
        taken
    })?;
    let mib = (blobs * BLOB_BYTES / MIB) as f64;
    let (mib_per_second, mib_per_cpu_second) = (mib / elapsed.as_secs_f64(), mib / cpu.as_secs_f64());
    Ok(Reference { what: steps.what, mib_per_second, mib_per_cpu_second })
}

fn send(mut stream: TcpStream, mut bytes: u64) -> std::io::Result<()> {
    let buffer = vec![0x5a; MIB as usize];
    while bytes > 0 {
        let piece = bytes.min(MIB) as usize;
        stream.write_all(&buffer[..piece])?;
        bytes -= piece as u64;
    }
    Ok(())
}

/// Takes all blobs in on this thread, and says how long it took by the clock and by the CPU.
fn receive(stream: TcpStream, steps: Steps, blobs: u64, scratch: &Path) -> anyhow::Result<(Duration, Duration)> {
    let mut buffer = vec![0; RECEIVE_BYTES];
    let (started, cpu) = (Instant::now(), thread_cpu());
    for number in 0..blobs {
        let path = scratch.join(format!("reference-{number}"));
        let file = steps.write.then(|| File::create(&path)).transpose()?;
        take_blob(&stream, steps, file, &mut buffer)?;
    }
    let spent = (started.elapsed(), thread_cpu().saturating_sub(cpu));
    for number in 0..blobs {
        // Nothing was written where the way does not write.
        let _ = std::fs::remove_file(scratch.join(format!("reference-{number}")));
    }
    Ok(spent)
}

fn take_blob(stream: &TcpStream, steps: Steps, mut file: Option<File>, buffer: &mut [u8]) -> anyhow::Result<()> {
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut stream = stream.take(BLOB_BYTES);
    loop {
        let read = stream.read(buffer)?;
        if read == 0 {
            break;
        }
        if steps.hash {
            hash.update(&buffer[..read]);
        }
        if let Some(file) = &mut file {
            file.write_all(&buffer[..read])?;
        }
    }
    if let (Some(file), true) = (&file, steps.sync) {
        file.sync_data()?;
    }
    // The digest must be used, or the compiler may drop the work.
    std::hint::black_box(hash.finish());
    Ok(())
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
