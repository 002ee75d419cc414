//! `extensions`: what the registry does beyond the distribution specification.

pub(crate) mod events;
pub(crate) mod metrics;
pub(crate) mod search;
pub(crate) mod sync;

use std::time::Duration;

use serde_json::Value;

pub use events::{EventCredentials, EventSink, EventTls, Events, SinkKind};
pub use metrics::{Metrics, Prometheus};
pub use search::{Cve, Sbom, SbomFormat, Search, Trivy};
pub use sync::{CredentialHelper, OAuth2CredentialHelper, Sync, SyncContent, SyncRegistry, SyncTags};

use crate::http::Http;
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::section;
use crate::setting::{Found, Setting};
use crate::storage::Storage;

section! {
    /// What the registry does beyond the distribution specification; a section that is there is on.
    pub struct Extensions {
        /// Searching.
        "search" => search: Option<Search> = None;
        /// Pages for browsers.
        "ui" => ui: Option<Ui> = None;
        /// Figures for monitoring.
        "metrics" => metrics: Option<Metrics> = None;
        /// Reading all content again and again to find damage.
        "scrub" => scrub: Option<Scrub> = None;
        /// Conditions that a pushed image must meet.
        "lint" => lint: Option<Lint> = None;
        /// Verifying signatures.
        "trust" => trust: Option<Trust> = None;
        /// Telling others what happens.
        "events" => events: Option<Events> = None;
        /// Copying from other registries.
        "sync" => sync: Option<Sync> = None;
        /// Of older releases.
        "mgmt" => mgmt: Option<Obsolete> = None;
        /// Of older releases.
        "apikey" => api_key: Option<Obsolete> = None;
    }
}

section! {
    /// Pages for browsers.
    pub struct Ui {
        /// Whether they are served.
        "enable" => enable: bool = true;
    }
}

section! {
    /// Reading all content again and again to find damage.
    pub struct Scrub {
        /// Whether it is done.
        "enable" => enable: bool = true;
        /// Pause between two runs, at least two hours.
        "interval" => interval: Duration = Duration::from_secs(24 * 60 * 60);
    }
}

section! {
    /// Conditions that a pushed image must meet.
    pub struct Lint {
        /// Whether images are looked at.
        "enable" => enable: bool = true;
        /// Annotations that an image must carry.
        "mandatoryAnnotations" => mandatory_annotations: Vec<String> = Vec::new();
    }
}

section! {
    /// Verifying signatures.
    pub struct Trust {
        /// Whether it is done.
        "enable" => enable: bool = true;
        /// Whether cosign's signatures are verified.
        "cosign" => cosign: bool = false;
        /// Whether notation's signatures are verified.
        "notation" => notation: bool = false;
    }
}

/// A section that older releases had and that says nothing any more; its content is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obsolete;

impl Setting for Obsolete {
    fn read(found: &Found<'_>) -> Option<Self> {
        found.report.warning(found.path, "has no effect any more and is ignored");
        Some(Self)
    }

    fn show(&self) -> Value {
        Value::Null
    }
}

/// Shortest pause between two runs over all content.
const RUN_INTERVAL_MIN: Duration = Duration::from_secs(2 * 60 * 60);

/// Raises an interval that would keep the registry busy with nothing else.
fn raise(interval: &mut Duration, path: &KeyPath, report: &Report) {
    if *interval < RUN_INTERVAL_MIN {
        *interval = RUN_INTERVAL_MIN;
        report.warning(path, "raised to the shortest interval allowed, 2h");
    }
}

impl Extensions {
    pub(crate) fn settle(&mut self, report: &Report) {
        let path = KeyPath::of("extensions");
        if let Some(scrub) = &mut self.scrub {
            raise(&mut scrub.interval, &path.key("scrub.interval"), report);
        }
        if let Some(cve) = self.search.as_mut().and_then(|search| search.cve.as_mut()) {
            raise(&mut cve.update_interval, &path.key("search.cve.updateInterval"), report);
        }
    }

    /// The extensions' own rules, and those between them and other sections.
    pub(crate) fn check(&self, storage: &Storage, http: &Http, report: &Report) {
        let path = KeyPath::of("extensions");
        let search = self.search.as_ref().filter(|search| search.enable);
        if self.ui.as_ref().is_some_and(|ui| ui.enable) && search.is_none() {
            report.problem(&path.key("ui"), "failed to enable ui, search extension must be enabled");
        }
        let remote = storage.stores().any(|(_, store)| store.storage_driver.is_some());
        if remote && search.is_some_and(|search| search.cve.is_some()) {
            let message = "failed to enable cve scanning due to incompatibility with remote storage, please disable cve";
            report.problem(&path.key("search.cve"), message);
        }
        if let Some(metrics) = &self.metrics {
            metrics.check(&path.key("metrics"), report);
        }
        if let Some(events) = &self.events {
            events.check(&path.key("events"), report);
        }
        if let Some(sync) = &self.sync {
            sync.check(remote, http, &path.key("sync"), report);
        }
    }
}
