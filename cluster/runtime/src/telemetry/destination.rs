//! Where lines go: standard output or a file, appended to; what could not be written is counted, not repeated.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::LogError;

/// How often, and how long apart, a pipe that refuses more is asked again before its lines count as lost.
const RETRIES_MAX: u32 = 100;
const RETRY_MILLIS: u64 = 10;

/// What lines are written to.
pub(super) type Sink = Box<dyn Write + Send>;

/// Opens the named file, or standard output where there is none.
pub(super) fn open(output: Option<&Path>) -> Result<Sink, LogError> {
    let file = match output {
        Some(path) => append_to(path),
        None => standard_output(),
    }?;
    Ok(Box::new(file))
}

fn append_to(path: &Path) -> Result<File, LogError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| LogError::Open { path: PathBuf::from(path), source })
}

/// A handle of our own on standard output: no buffer and no lock shared with anything else in the process.
fn standard_output() -> Result<File, LogError> {
    let descriptor = io::stdout().as_fd().try_clone_to_owned().map_err(LogError::Stdout)?;
    Ok(File::from(descriptor))
}

/// A sink with the state that survives a failed write.
pub(super) struct Destination {
    sink: Sink,
    /// The last write ended inside a line.
    torn: bool,
    failing: bool,
}

impl Destination {
    pub(super) fn new(sink: Sink) -> Self {
        Self { sink, torn: false, failing: false }
    }

    pub(super) fn replace(&mut self, sink: Sink) {
        *self = Self::new(sink);
    }

    /// Writes whole lines and returns how many of them were lost.
    pub(super) fn write(&mut self, lines: &[u8]) -> u64 {
        let (written, failure) = self.write_out(lines);
        self.torn = match written.checked_sub(1) {
            Some(last) => lines.get(last) != Some(&b'\n'),
            None => self.torn,
        };
        match failure {
            None => self.failing = false,
            Some(error) => self.report(&error),
        }
        count_lines(lines.get(written..).unwrap_or_default())
    }

    fn write_out(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        if self.torn {
            match write_counting(&mut self.sink, b"\n") {
                (_, None) => self.torn = false,
                (_, failure) => return (0, failure),
            }
        }
        write_counting(&mut self.sink, lines)
    }

    /// One line an outage: it is kept if the outage is another log's, and lost with the others if it is this one's.
    fn report(&mut self, error: &io::Error) {
        if !self.failing {
            self.failing = true;
            tracing::error!(%error, "could not write to a log, its lines are dropped until it can be written again");
        }
    }
}

fn write_counting(sink: &mut Sink, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let (mut written, mut refusals) = (0, 0);
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match sink.write(rest) {
            Ok(0) => return (written, Some(ErrorKind::WriteZero.into())),
            Ok(count) => (written, refusals) = (written + count, 0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A pipe that another process made non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock && refusals < RETRIES_MAX => {
                refusals += 1;
                thread::sleep(Duration::from_millis(RETRY_MILLIS));
            }
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').fold(0, |count, _| count + 1)
}
