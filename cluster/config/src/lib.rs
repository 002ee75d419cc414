//! The one configuration file all binaries read: as written, checked, and every problem reported at once.

mod environment;
mod key_path;
mod nearest;
mod pattern;
mod report;
mod setting;
mod source;
mod unbuilt;
mod url;

pub mod cluster;
pub mod extensions;
pub mod http;
pub mod log;
pub mod redis;
pub mod scheduler;
pub mod storage;

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::Value;

pub use environment::address::{Unlistenable, try_listening};
pub use key_path::KeyPath;
pub use report::{Problem, Warning};
pub use setting::duration::Timeout;
pub use setting::secret::Secret;
pub use setting::size::Size;
pub use source::{CONFIG_BYTES_MAX, ConfigError, Format};

use cluster::Cluster;
use extensions::Extensions;
use http::Http;
use log::Log;
use report::Report;
use scheduler::Scheduler;
use setting::section::{Keys, Section, section};
use setting::{Found, Setting};
use source::tree;
use storage::Storage;

/// The version of the distribution specification that is spoken.
pub const DIST_SPEC_VERSION: &str = "1.1.1";

/// What a dump of a running registry's settings holds besides; it says nothing to a reader.
const BUILD_INFO: &[&str] = &["goVersion", "commit", "releaseTag", "binaryType"];

section! {
    /// A whole configuration, checked.
    pub struct Config {
        /// The version of the distribution specification the file was written for.
        "distSpecVersion" => dist_spec_version: String = DIST_SPEC_VERSION.to_owned();
        /// Where content is kept.
        "storage" => storage: Storage = Storage::default();
        /// Where the registry listens, and who may do what.
        "http" => http: Http = Http::default();
        /// How much is said, and where.
        "log" => log: Log = Log::default();
        /// What the registry does beyond the specification.
        "extensions" => extensions: Extensions = Extensions::default();
        /// How much background work is done at a time.
        "scheduler" => scheduler: Scheduler = Scheduler::default();
        /// The processes that serve as one registry; this one alone if absent.
        "cluster" => cluster: Option<Cluster> = None;
    }
}

/// The part of the registry that a process is: one file serves all of them, and each heeds what concerns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    AllInOne,
    /// What clients meet.
    Gateway,
    /// Where content is kept.
    Node,
}

impl Part {
    fn serves_clients(self) -> bool {
        self != Self::Node
    }

    fn stores(self) -> bool {
        self != Self::Gateway
    }
}

/// A configuration and what its owner should know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// To be logged once at start.
    pub warnings: Vec<Warning>,
}

impl Config {
    /// Reads and checks a file; the format is that of its extension, without a known one each is tried.
    ///
    /// # Errors
    /// The file cannot be read, is not well-formed, or has problems: then all of them.
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        Self::parse(path, &source::read(path)?)
    }

    /// Checks the text of a file; `path` is its name in errors, and its extension says the format.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
        let tree = source::parse(path, text)?;
        let report = Report::default();
        let config = Self::check_tree(&tree, &report);
        let (problems, warnings) = report.into_parts();
        if !problems.is_empty() {
            return Err(ConfigError::Invalid { path: path.to_owned(), problems });
        }
        Ok(Loaded { config, warnings })
    }

    /// All defaults on one root directory.
    #[must_use]
    pub fn default_for(root: PathBuf) -> Self {
        let mut config = Self::default();
        config.storage.default.root_directory = root;
        config
    }

    /// What stands in the way of running `part` of the registry on this machine: files that cannot be read, directories that cannot be written,
    /// an address that cannot be listened on.
    ///
    /// Nothing is created or changed. An address in use is no problem: it may be the registry itself that is running.
    #[must_use]
    pub fn check_environment(&self, part: Part) -> Vec<Problem> {
        let report = Report::default();
        environment::check(self, part, &report);
        report.into_parts().0
    }

    fn check_tree(tree: &Value, report: &Report) -> Self {
        let root = KeyPath::root();
        if !tree::has_leaf(tree) {
            report.problem(&root, "failed to load config due to the absence of any key:value pair");
            return Self::default();
        }
        let found = Found { value: tree, path: &root, report };
        let Some(mut section) = Section::open(&found) else {
            return Self::default();
        };
        section.ignore(BUILD_INFO);
        let mut config = Self::take(&mut section, Self::default());
        section.finish();
        config.settle(report);
        config.check(report);
        unbuilt::refuse(tree, report);
        unbuilt::warn(tree, &config, report);
        config
    }

    fn settle(&mut self, report: &Report) {
        self.storage.settle(report);
        self.http.settle();
        self.extensions.settle(report);
    }

    fn check(&self, report: &Report) {
        if self.dist_spec_version != DIST_SPEC_VERSION {
            let message = format!("is {:?}, version {DIST_SPEC_VERSION} is spoken", self.dist_spec_version);
            report.warning(&KeyPath::of("distSpecVersion"), message);
        }
        self.storage.check(report);
        self.storage.check_local_parts(self.cluster.as_ref(), report);
        self.http.check(&KeyPath::of("http"), report);
        self.extensions.check(&self.storage, &self.http, report);
        if let Some(cluster) = &self.cluster {
            cluster.check(&KeyPath::of("cluster"), &self.storage, &self.http, report);
            cluster::check_manifests(self.http.limits.manifest_bytes_max, report);
        }
        self.http.auth.check_shared_sessions(self.cluster.as_ref(), &self.extensions, report);
    }
}

/// As the file would say it, with all defaults and without secrets: for logs.
impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.show().serialize(serializer)
    }
}
