//! What a registry printed, line by line.

use std::{fmt, fs, path::Path};

use serde_json::Value;

/// How many lines a failed test shows.
const TAIL_LINES: usize = 40;

/// What processes log while a store is out of their reach or refuses: work in the background, which is tried again.
pub const OUTAGE: [&str; 3] = ["could not bring image layouts up to date", "reap-uploads failed", "reap-open-uploads failed"];

/// The printed lines.
#[derive(Debug, Clone)]
pub struct Log(String);

impl Log {
    pub(crate) fn read(file: &Path) -> Self {
        Self(String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned())
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What follows after its first `bytes`.
    pub(crate) fn after(&self, bytes: usize) -> Self {
        Self(self.0.get(bytes..).unwrap_or_default().to_owned())
    }

    /// Every line that is JSON.
    pub fn lines(&self) -> impl Iterator<Item = Value> {
        self.0.lines().filter_map(|line| serde_json::from_str(line).ok())
    }

    /// Every line whose message is `message`.
    pub fn with_message(&self, message: &str) -> Vec<Value> {
        self.lines().filter(|line| line["message"] == message).collect()
    }

    /// Lines of level error (or worse) that contain none of `tolerated`, and what is no JSON and tells of a panic.
    pub(crate) fn errors_without(&self, tolerated: &[String]) -> Vec<&str> {
        let wrong = |line: &&str| line.contains(r#""level":"error""#) || line.contains("panicked at");
        self.0.lines().filter(wrong).filter(|line| !tolerated.iter().any(|text| line.contains(text))).collect()
    }

    /// The last lines.
    pub(crate) fn tail(&self) -> String {
        let lines: Vec<&str> = self.0.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
