//! `extensions.metrics`: figures for monitoring.

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::section;

section! {
    /// Figures for monitoring.
    pub struct Metrics {
        /// Whether they are served.
        "enable" => enable: bool = true;
        /// How Prometheus gets them.
        "prometheus" => prometheus: Prometheus = Prometheus::default();
    }
}

section! {
    /// How Prometheus gets the figures.
    pub struct Prometheus {
        /// Path they are served at.
        "path" => path: String = "/metrics".to_owned();
    }
}

impl Metrics {
    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        let served = self.prometheus.path.as_str();
        let message = if !served.starts_with('/') {
            "metrics path must start with /"
        } else if matches!(served, "/" | "/v2") {
            "provided metrics path is disallowed"
        } else if !is_clean(served) {
            "invalid metrics path: it must not hold empty, `.` or `..` components"
        } else {
            return;
        };
        report.problem(&path.key("prometheus.path"), message);
    }
}

fn is_clean(path: &str) -> bool {
    path.split('/').skip(1).all(|component| !matches!(component, "" | "." | ".."))
}
