//! The audit log: a file of its own with one line for every change and every denial, whatever the log's level.

use std::fmt::Display;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::LogError;
use super::destination;
use super::level::LogLevel;
use super::line::{Line, with_buffer};
use super::secrets::masked_target;
use super::writer::{PENDING_BYTES_MAX, Writer, WriterGuard, WriterOptions};

/// One change, or one denied request.
#[derive(Clone, Copy)]
pub struct AuditLine<'a> {
    /// The address of the peer, with its port as zot has it.
    pub client_ip: &'a dyn Display,
    /// Who asked; `None` is written as `anonymous`.
    pub subject: Option<&'a str>,
    /// The request's method.
    pub action: &'a str,
    /// Path and query; secret parameters are masked here.
    pub object: &'a str,
    /// The status answered.
    pub status: u16,
    /// The request's id, where it has one.
    pub request_id: Option<&'a str>,
}

/// Writes audit lines; cheap to clone, and flushed when the last clone goes.
#[derive(Clone)]
pub struct AuditLog(Arc<AuditFile>);

struct AuditFile {
    path: PathBuf,
    writer: Writer,
    _guard: WriterGuard,
}

impl AuditLog {
    /// Opens the file to append to, made with mode 0600.
    ///
    /// # Errors
    /// The file cannot be opened or the writer cannot be started.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, LogError> {
        let path = path.into();
        let options = WriterOptions {
            thread: "audit-writer",
            noun: "audit lines",
            pending_bytes_max: PENDING_BYTES_MAX,
            // What was changed is on record as soon as the disk allows: a crash finds nothing gathered.
            linger: Duration::ZERO,
        };
        let (writer, guard) = Writer::start(destination::open(Some(&path))?, options)?;
        Ok(Self(Arc::new(AuditFile { path, writer, _guard: guard })))
    }

    /// Writes one line.
    #[track_caller]
    pub fn record(&self, entry: &AuditLine<'_>) {
        let caller = Location::caller();
        with_buffer(|buffer| {
            let mut line = Line::begin(buffer, LogLevel::Info);
            line.raw(",\"message\":\"HTTP API Audit\",\"component\":\"session\"");
            line.display("clientIP", entry.client_ip);
            line.text("subject", entry.subject.unwrap_or("anonymous"));
            line.text("action", entry.action);
            line.text("object", &masked_target(entry.object));
            line.json("status", entry.status);
            if let Some(request_id) = entry.request_id {
                line.text("requestId", request_id);
            }
            self.0.writer.push(line.finish_at(caller));
        });
    }

    /// Opens the file by its name again, after it was renamed to rotate it.
    ///
    /// # Errors
    /// The file cannot be opened; the log then goes on in the one it has.
    pub fn reopen(&self) -> Result<(), LogError> {
        self.0.writer.replace(destination::open(Some(&self.0.path))?);
        Ok(())
    }

    /// Blocks until every line so far is written, at most `limit`; returns whether they are.
    pub fn flush(&self, limit: Duration) -> bool {
        self.0.writer.flush(limit)
    }

    /// Returns the file it appends to.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}
