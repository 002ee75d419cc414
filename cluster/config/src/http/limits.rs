//! `http.limits`: bounds on what one client may cost; our own section, every bound named with its unit.

use std::time::Duration;

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::section;

/// The longest page that is ever asked for between processes.
const PAGE_ENTRIES_MAX: usize = 10_000;

section! {
    /// Bounds on what one client may cost.
    pub struct Limits {
        /// Largest manifest accepted, in bytes; the specification asks for at least 4 MiB.
        "manifestBytesMax" => manifest_bytes_max: u64 = 4 * 1024 * 1024;
        /// Most entries in one page of tags or repositories, at most 10,000; a larger `n` is served in pages of this size.
        "pageEntriesMax" => page_entries_max: usize = PAGE_ENTRIES_MAX;
        /// Most connections open at a time; more wait to be accepted.
        "connectionsMax" => connections_max: usize = 8192;
        /// Longest wait for the whole header of a request.
        "headerReadTimeout" => header_read_timeout: Duration = Duration::from_secs(10);
        /// How long an idle connection is kept for the next request.
        "keepAliveTimeout" => keep_alive_timeout: Duration = Duration::from_secs(120);
        /// How long requests under way may take to finish after a signal to stop.
        "drainTimeout" => drain_timeout: Duration = Duration::from_secs(10);
    }
}

impl Limits {
    pub(crate) fn check(&self, path: &KeyPath, report: &Report) {
        let zeros = [
            ("manifestBytesMax", self.manifest_bytes_max == 0),
            ("pageEntriesMax", self.page_entries_max == 0),
            ("connectionsMax", self.connections_max == 0),
            ("headerReadTimeout", self.header_read_timeout.is_zero()),
            ("keepAliveTimeout", self.keep_alive_timeout.is_zero()),
        ];
        for (key, _) in zeros.iter().filter(|(_, zero)| *zero) {
            report.problem(&path.key(key), "must be greater than zero");
        }
        if self.page_entries_max > PAGE_ENTRIES_MAX {
            report.problem(&path.key("pageEntriesMax"), format!("must be at most {PAGE_ENTRIES_MAX}, is {}", self.page_entries_max));
        }
    }
}
