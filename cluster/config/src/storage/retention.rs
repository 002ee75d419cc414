//! `storage.retention`: which tags and untagged manifests are kept.

use std::time::Duration;

use crate::key_path::KeyPath;
use crate::pattern;
use crate::report::Report;
use crate::setting::section::section;

section! {
    /// Which tags and untagged manifests are kept.
    pub struct Retention {
        /// Only logs what would be removed.
        "dryRun" => dry_run: bool = false;
        /// Age before untagged manifests and referrers are removed; the store's `gcDelay` if absent.
        "delay" => delay: Option<Duration> = None;
        /// The first policy that matches a repository decides.
        "policies" => policies: Vec<RetentionPolicy> = Vec::new();
    }
}

section! {
    /// What is kept in the repositories that a pattern matches.
    pub struct RetentionPolicy {
        /// Patterns of repository names.
        "repositories" or "repoNames" => repositories: Vec<String> = Vec::new();
        /// Whether referrers without a subject are removed.
        "deleteReferrers" => delete_referrers: bool = false;
        /// Whether untagged manifests are removed.
        "deleteUntagged" => delete_untagged: bool = true;
        /// Which tags are kept; all if there is no entry.
        "keepTags" => keep_tags: Vec<KeepTags> = Vec::new();
        /// Which untagged manifests are kept although `deleteUntagged` is set.
        "keepUntagged" => keep_untagged: Option<KeepUntagged> = None;
    }
}

section! {
    /// A tag that any of the rules keeps stays.
    pub struct KeepTags {
        /// Regular expressions of the tags this is about; all tags if there is none.
        "patterns" => patterns: Vec<String> = Vec::new();
        /// Keeps what was pulled within this time.
        "pulledWithin" => pulled_within: Option<Duration> = None;
        /// Keeps what was pushed within this time.
        "pushedWithin" => pushed_within: Option<Duration> = None;
        /// Keeps this many of those pushed last.
        "mostRecentlyPushedCount" => most_recently_pushed_count: u32 = 0;
        /// Keeps this many of those pulled last.
        "mostRecentlyPulledCount" => most_recently_pulled_count: u32 = 0;
    }
}

section! {
    /// An untagged manifest that any of the rules keeps stays.
    pub struct KeepUntagged {
        /// Keeps what was pulled within this time.
        "pulledWithin" => pulled_within: Option<Duration> = None;
        /// Keeps what was pushed within this time.
        "pushedWithin" => pushed_within: Option<Duration> = None;
        /// Keeps this many of those pushed last.
        "mostRecentlyPushedCount" => most_recently_pushed_count: u32 = 0;
        /// Keeps this many of those pulled last.
        "mostRecentlyPulledCount" => most_recently_pulled_count: u32 = 0;
    }
}

impl Retention {
    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        for (index, policy) in self.policies.iter().enumerate() {
            let path = path.key("policies").index(index);
            pattern::check_globs(&policy.repositories, &path.key("repositories"), report);
            for (index, keep) in policy.keep_tags.iter().enumerate() {
                pattern::check_regexes(&keep.patterns, &path.key("keepTags").index(index).key("patterns"), report);
            }
        }
    }
}
