//! What stands in the lines, under hostile values, full queues and failing disks.

mod access;
mod events;
mod files;
mod writer;

use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::{LogGuard, LogHandle, LogLevel, LogOptions, subscriber};

const PATIENCE: Duration = Duration::from_secs(30);

/// A log in a folder of its own.
pub(crate) struct TestLog {
    folder: TempDir,
    guard: LogGuard,
}

impl TestLog {
    /// Runs `events` with a log of that level and returns the log.
    pub(crate) fn of(level: LogLevel, events: impl FnOnce(&LogHandle)) -> Self {
        listen_everywhere();
        let folder = TempDir::new().unwrap();
        let options = LogOptions { level, output: Some(folder.path().join("log")) };
        let (subscriber, guard) = subscriber(&options).unwrap();
        tracing::subscriber::with_default(subscriber, || events(&guard.handle()));
        assert!(guard.handle().flush(PATIENCE));
        Self { folder, guard }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        parse(&self.text())
    }
}

/// Gives threads without a log a subscriber too: where none of them listens, tracing would remember of a place in the
/// code that they share with a test that nobody wants its events.
fn listen_everywhere() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap());
}

fn parse(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
}

/// The top-level keys of a line in the order written, each of which must be there once.
fn assert_keys_in_order(line: &str, keys: &[&str]) {
    let places: Vec<usize> = keys
        .iter()
        .map(|key| {
            let quoted = format!("\"{key}\":");
            assert_eq!(line.matches(&quoted).count(), 1, "{key} in {line}");
            line.find(&quoted).unwrap()
        })
        .collect();
    assert!(places.is_sorted(), "{keys:?} in {line}");
}
