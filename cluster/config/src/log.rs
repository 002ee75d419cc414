//! `log`: how much is said, and where.

use std::path::PathBuf;

use serde_json::Value;

use crate::setting::section::section;
use crate::setting::{Found, Setting};

section! {
    /// `log`: how much is said, and where.
    pub struct Log {
        /// The least severe line that is written.
        "level" => level: Level = Level::Debug;
        /// File that lines are appended to; standard output if absent.
        "output" => output: Option<PathBuf> = None;
        /// File for the audit log; none is kept if absent.
        "audit" => audit: Option<PathBuf> = None;
    }
}

/// The least severe line that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything; `trace` means the same.
    Debug,
    /// What an operator wants to see.
    Info,
    /// What may need attention.
    Warn,
    /// What failed; `fatal` and `panic` mean the same.
    Error,
}

impl Level {
    /// The word that stands for this in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl Setting for Level {
    fn read(found: &Found<'_>) -> Option<Self> {
        let word = String::read(found)?;
        match word.to_lowercase().as_str() {
            "debug" | "trace" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" | "warning" => Some(Self::Warn),
            "error" | "fatal" | "panic" => Some(Self::Error),
            _ => {
                found.refuse(format!(
                    "invalid log level '{word}', supported levels are: debug, trace, info, warn, warning, error, fatal, panic"
                ));
                None
            }
        }
    }

    fn show(&self) -> Value {
        Value::from(self.as_str())
    }
}
