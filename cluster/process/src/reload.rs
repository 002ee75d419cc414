//! Taking up a changed configuration without a restart: the file is looked at every second, and read at once at SIGHUP.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::sync::{Notify, watch};
use zot_config::{Config, ConfigError, Loaded, http::Http};
use zot_runtime::{fingerprint::Fingerprint, tasks::Tasks, telemetry};

use crate::output;

/// How often the file is looked at. Polled rather than subscribed to: nothing is missed when it is renamed over, or a link to it is swapped.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is taken up; everything else needs a restart.
const RELOADABLE: [&str; 3] = ["http.auth", "http.accessControl", "http.realm"];

/// Looks at a file, and tells whoever follows when it makes another configuration.
pub(crate) struct Reload {
    path: PathBuf,
    current: watch::Sender<Arc<Config>>,
    /// The state of the file that was last read, usable or not.
    tried: Fingerprint,
}

impl Reload {
    /// Begins with what was read from `path` when it was in the state `read`.
    pub(crate) fn new(path: &Path, config: &Config, read: Fingerprint) -> Self {
        Self { path: path.to_owned(), current: watch::Sender::new(Arc::new(config.clone())), tried: read }
    }

    /// The state that a file is in.
    pub(crate) fn state_of(path: &Path) -> Fingerprint {
        Fingerprint::of([path])
    }

    /// The configuration, and each one after it.
    pub(crate) fn follow(&self) -> watch::Receiver<Arc<Config>> {
        self.current.subscribe()
    }

    /// Looks from now on, among `tasks`; `hangup` says when not to wait for a change.
    pub(crate) fn start(mut self, tasks: &Tasks, hangup: Arc<Notify>) {
        let stop = tasks.stop();
        tasks.spawn("reload-configuration", async move {
            let mut seen = self.tried.clone();
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = hangup.notified() => self.reload().await,
                    () = tokio::time::sleep(LOOK_EVERY) => {
                        let now = Self::state_of(&self.path);
                        // A file that is still being written changes from look to look.
                        if now == seen && now != self.tried {
                            self.reload().await;
                        }
                        seen = now;
                    }
                }
            }
        });
    }

    async fn reload(&mut self) {
        self.tried = Self::state_of(&self.path);
        let path = self.path.clone();
        match tokio::task::spawn_blocking(move || Config::load(&path)).await {
            Ok(loaded) => self.take(loaded),
            Err(error) => tracing::error!(%error, "could not read the configuration anew"),
        }
    }

    fn take(&self, loaded: Result<Loaded, ConfigError>) {
        let Loaded { config: new, warnings } = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                return tracing::error!(error = %telemetry::chain(&error), "failed to reload config, retry writing it; the one in use stays");
            }
        };
        output::warn(&warnings);
        let old = self.current.borrow().clone();
        let restart: Vec<String> = differences(&old, &new).into_iter().filter(|path| !is_reloadable(path)).collect();
        if !restart.is_empty() {
            tracing::warn!(keys = restart.join(", "), "some changed keys are taken up at the next start only");
        }
        let config = taken_up(&old, new);
        tracing::info!(params = %serde_json::to_string(&config).unwrap_or_default(), "loaded new configuration settings");
        self.current.send_replace(Arc::new(config));
    }
}

/// The old configuration with what is taken up of the new one.
fn taken_up(old: &Config, new: Config) -> Config {
    let Http { auth, access_control, realm, .. } = new.http;
    Config { http: Http { auth, access_control, realm, ..old.http.clone() }, ..old.clone() }
}

/// The paths of the keys whose values differ, as far as they are shown: secrets are not.
fn differences(old: &Config, new: &Config) -> Vec<String> {
    let shown = |config| serde_json::to_value(config).unwrap_or_default();
    let mut paths = Vec::new();
    compare("", &shown(old), &shown(new), &mut paths);
    paths
}

fn compare(path: &str, old: &Value, new: &Value, paths: &mut Vec<String>) {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        if old != new {
            paths.push(path.to_owned());
        }
        return;
    };
    let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        compare(&path, before.get(key).unwrap_or(&Value::Null), after.get(key).unwrap_or(&Value::Null), paths);
    }
}

fn is_reloadable(path: &str) -> bool {
    RELOADABLE.iter().any(|start| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse("c.json".as_ref(), text).unwrap().config
    }

    #[test]
    fn only_what_can_be_is_taken_up() {
        let old = config(r#"{"storage": {"rootDirectory": "/a"}, "http": {"port": 1}}"#);
        let new = config(r#"{"storage": {"rootDirectory": "/b"}, "http": {"port": 2, "realm": "here"}}"#);
        let mut differ = differences(&old, &new);
        differ.sort();
        assert_eq!(differ, ["http.port", "http.realm", "storage.rootDirectory"]);
        let taken = taken_up(&old, new);
        assert_eq!((taken.http.port, taken.http.realm.as_str(), &taken.storage), (1, "here", &old.storage));
    }

    #[test]
    fn what_is_taken_up_is_known_by_its_path() {
        assert!(is_reloadable("http.auth") && is_reloadable("http.auth.htpasswd.path"));
        assert!(!is_reloadable("http.authority") && !is_reloadable("http.port"));
    }

    #[tokio::test]
    async fn a_changed_file_is_told_and_a_broken_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let write =
            |realm: &str| std::fs::write(&path, format!(r#"{{"storage": {{"rootDirectory": "/a"}}, "http": {{"realm": "{realm}"}}}}"#));
        write("one").unwrap();
        let read = Reload::state_of(&path);
        let mut reload = Reload::new(&path, &Config::load(&path).unwrap().config, read);
        let mut follow = reload.follow();
        std::fs::write(&path, "{").unwrap();
        reload.reload().await;
        assert!(!follow.has_changed().unwrap());
        let (tasks, hangup) = (Tasks::new(), Arc::new(Notify::new()));
        reload.start(&tasks, Arc::clone(&hangup));
        write("two").unwrap();
        hangup.notify_one();
        follow.changed().await.unwrap();
        assert_eq!(follow.borrow_and_update().http.realm, "two");
        // Without a signal it is found as well, also when another file takes its place.
        let other = directory.path().join("other");
        std::fs::write(&other, r#"{"storage": {"rootDirectory": "/a"}, "http": {"realm": "three"}}"#).unwrap();
        std::fs::rename(&other, &path).unwrap();
        follow.changed().await.unwrap();
        assert_eq!(follow.borrow().http.realm, "three");
        tasks.shutdown(Duration::from_secs(5)).await;
    }
}
