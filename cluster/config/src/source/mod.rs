//! From a file to a tree of values, and every way that can fail before its meaning is looked at.

pub(crate) mod format;
pub(crate) mod tree;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use format::Format;

use crate::key_path::KeyPath;
use crate::report::{Problem, Report};
use crate::setting::{Found, Setting};

/// The largest file read as a configuration, in bytes; thousands of access rules fit.
pub const CONFIG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why there is no configuration to work with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read configuration file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not written in its format's grammar.
    #[error("{}{}: {message}", path.display(), At(*position))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line and column counted from 1, where known.
        position: Option<(u64, u64)>,
        /// What the parser did not understand.
        message: String,
    },
    /// The file can be read but not used; all reasons at once.
    #[error("{}", Listing { path, problems })]
    Invalid {
        /// The file.
        path: PathBuf,
        /// At least one problem, in the order of the checks.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// The problems of a configuration that could be read; empty for the other errors.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid { problems, .. } => problems,
            Self::Read { .. } | Self::Syntax { .. } => &[],
        }
    }
}

/// `:line:column`, or nothing.
struct At(Option<(u64, u64)>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |(line, column)| write!(f, ":{line}:{column}"))
    }
}

/// A heading with the count, then one indented line for each problem.
struct Listing<'a> {
    path: &'a Path,
    problems: &'a [Problem],
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.problems.len() == 1 { "" } else { "s" };
        write!(f, "{}: {} problem{plural}", self.path.display(), self.problems.len())?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Reads a file beside the configuration that holds one section, and nothing else; its format is found as the configuration's is.
pub(crate) fn read_section<T: Setting + Default>(path: &Path, check: impl FnOnce(&T, &Report)) -> Result<T, ConfigError> {
    let tree = parse(path, &read(path)?)?;
    let (root, report) = (KeyPath::root(), Report::default());
    let section = T::read(&Found { value: &tree, path: &root, report: &report }).unwrap_or_default();
    check(&section, &report);
    let (problems, _) = report.into_parts();
    if problems.is_empty() { Ok(section) } else { Err(ConfigError::Invalid { path: path.to_owned(), problems }) }
}

/// Reads a file of at most [`CONFIG_BYTES_MAX`] bytes of UTF-8.
pub(crate) fn read(path: &Path) -> Result<String, ConfigError> {
    bounded(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

fn bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= CONFIG_BYTES_MAX) {
        return Ok(text);
    }
    Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {CONFIG_BYTES_MAX} bytes")))
}

/// Parses text in the format that the name of its file says, or in any if it says none; a byte order mark is skipped.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Value, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed = Format::of(path).map_or_else(|| format::parse_any(text), |format| format.parse(text));
    parsed.map_err(|error| ConfigError::Syntax { path: path.to_owned(), position: error.position, message: error.message })
}
