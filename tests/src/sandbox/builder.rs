//! Setting up a registry before it starts.

use std::{fs, os::unix::fs::chown, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use zot_services::port;

use super::Sandbox;
use crate::{
    client::Trust,
    cluster::{self, Endpoints},
};

/// A registry that has not started.
#[must_use = "a builder does nothing until it starts a registry"]
pub struct Builder {
    directory: TempDir,
    config: Value,
    environment: Vec<(String, String)>,
    trust: Option<Trust>,
    descriptors_max: Option<u32>,
    tolerated: Vec<String>,
    user: Option<u32>,
}

/// A user without rights, as most systems have it.
const NOBODY: u32 = 65534;

impl Builder {
    pub(super) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("zot-sandbox-").tempdir().expect("a temporary directory");
        let config = json!({
            "storage": {"rootDirectory": directory.path().join("root"), "gc": false},
            "http": {"address": "127.0.0.1"},
            "log": {"level": "info"},
        });
        Self { directory, config, environment: Vec::new(), trust: None, descriptors_max: None, tolerated: Vec::new(), user: None }
    }

    /// The directory that holds everything of this registry, for files that its configuration names.
    pub fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Sets the setting at a path like `/http/limits/drainTimeout`; `null` takes it away.
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        set(&mut self.config, path, value.into());
        self
    }

    /// Begins with this configuration instead of the one that tests have; it gets a port of its own.
    pub fn with(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// Keeps the default store in these servers, apart from everything else in them; on its disk are uploads in progress.
    pub fn shared(mut self, servers: &Endpoints) -> Self {
        for (key, value) in servers.storage() {
            set(&mut self.config, &format!("/storage/{key}"), value);
        }
        self.in_services()
    }

    /// Its environment has what opens the servers of tests.
    pub fn in_services(mut self) -> Self {
        self.environment.extend(cluster::credentials());
        self
    }

    /// Keeps the default store in `root`.
    pub fn root(self, root: &std::path::Path) -> Self {
        self.set("/storage/rootDirectory", root.to_str().expect("a readable path"))
    }

    /// Sets an environment variable of the process.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its clients use TLS with `trust`; the certificate and key are to be set in the configuration.
    pub fn https(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// It may not have more files and connections open than this.
    pub fn descriptors_max(mut self, descriptors_max: u32) -> Self {
        self.descriptors_max = Some(descriptors_max);
        self
    }

    /// Logged errors that contain `text` are part of this test.
    pub fn tolerate_errors(mut self, text: &str) -> Self {
        self.tolerated.push(text.to_owned());
        self
    }

    /// Runs it without the rights that root has, whoever runs the tests.
    pub fn unprivileged(mut self) -> Self {
        self.user = rustix::process::geteuid().is_root().then_some(NOBODY);
        self
    }

    /// Starts the registry and waits until it is ready.
    pub async fn start(self) -> Sandbox {
        let mut sandbox = self.prepare();
        sandbox.spawn();
        sandbox.ready().await;
        sandbox
    }

    /// The registry with everything it needs, but no process yet.
    pub fn prepare(mut self) -> Sandbox {
        let port = port::free();
        set(&mut self.config, "/http/port", port.to_string().into());
        let root = self.config["storage"]["rootDirectory"].as_str().map_or_else(PathBuf::new, PathBuf::from);
        if self.user.is_some() {
            fs::create_dir_all(&root).expect("the root directory");
            [self.directory.path(), &root]
                .into_iter()
                .for_each(|path| chown(path, self.user, self.user).expect("a directory to give away"));
        }
        Sandbox {
            directory: self.directory,
            root,
            config: self.config,
            environment: self.environment,
            trust: self.trust,
            descriptors_max: self.descriptors_max,
            port,
            process: None,
            tolerated: self.tolerated,
            user: self.user,
        }
    }
}

/// Sets the member at `path`, and makes the objects on the way.
pub(crate) fn set(config: &mut Value, path: &str, value: Value) {
    let (parents, key) = path.trim_start_matches('/').rsplit_once('/').unwrap_or(("", path.trim_start_matches('/')));
    let section = parents.split('/').filter(|key| !key.is_empty()).fold(config, |section, key| {
        let members = section.as_object_mut().expect("a section");
        members.entry(unescaped(key)).or_insert_with(|| json!({}))
    });
    section.as_object_mut().expect("a section").insert(unescaped(key), value);
}

/// As in a JSON pointer (RFC 6901), `~1` stands for a slash within a key.
fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}
