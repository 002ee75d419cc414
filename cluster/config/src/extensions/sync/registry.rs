//! `extensions.sync.registries[]`: another registry, and what is copied from it.

use std::path::PathBuf;
use std::time::Duration;

use super::OAuth2CredentialHelper;
use crate::key_path::KeyPath;
use crate::pattern;
use crate::report::Report;
use crate::setting::section::section;
use crate::setting::word::words;

section! {
    /// Another registry, and what is copied from it.
    pub struct SyncRegistry {
        /// The registry, then its mirrors.
        "urls" => urls: Vec<String> = Vec::new();
        /// Whether what a client asks for and is not here is fetched.
        "onDemand" => on_demand: bool = false;
        /// Pause between two runs over `content`; none if absent.
        "pollInterval" => poll_interval: Option<Duration> = None;
        /// What is copied, and where to.
        "content" => content: Vec<SyncContent> = Vec::new();
        /// Whether the registry's certificate is checked.
        "tlsVerify" => tls_verify: bool = true;
        /// Directory with authorities and client certificates.
        "certDir" => cert_dir: Option<PathBuf> = None;
        /// How long a tag that was looked up is believed without asking again.
        "manifestCheckInterval" => manifest_check_interval: Duration = Duration::ZERO;
        /// Attempts after one that failed.
        "maxRetries" => max_retries: Option<u32> = None;
        /// Pause before the next attempt.
        "retryDelay" => retry_delay: Option<Duration> = None;
        /// Longest pause before the next attempt; every pause is `retryDelay` if absent.
        "maxRetryDelay" => max_retry_delay: Option<Duration> = None;
        /// Whether only signed images are copied.
        "onlySigned" => only_signed: bool = false;
        /// Whether signatures under cosign's tags are copied.
        "syncLegacyCosignTags" => sync_legacy_cosign_tags: bool = true;
        /// Whether images are copied byte by byte instead of converted.
        "preserveDigest" => preserve_digest: bool = false;
        /// Longest time for one image.
        "syncTimeout" => sync_timeout: Duration = Duration::from_secs(3 * 60 * 60);
        /// Longest wait for the header of an answer.
        "responseHeaderTimeout" => response_header_timeout: Duration = Duration::from_secs(30);
        /// Most requests to one host at a time; 3 if absent.
        "reqConcurrent" => concurrent_requests: Option<u32> = None;
        /// Most requests to one host in a second; any number if absent.
        "reqPerSec" => requests_per_second: Option<f64> = None;
        /// Whether HTTP/1.1 is spoken where HTTP/2 is offered.
        "disableHTTP2" => disable_http2: bool = false;
        /// Most idle connections kept to one host.
        "maxIdleConnsPerHost" => max_idle_connections_per_host: Option<u32> = None;
        /// Who is asked for credentials.
        "credentialHelper" => credential_helper: Option<CredentialHelper> = None;
        /// How the helper `oauth2` gets a token.
        "oauth2CredentialHelper" => oauth2: Option<OAuth2CredentialHelper> = None;
    }
}

section! {
    /// What is copied, and where to.
    pub struct SyncContent {
        /// Pattern of the other registry's repository names.
        "prefix" => prefix: String = String::new();
        /// Which tags.
        "tags" => tags: Option<SyncTags> = None;
        /// What the names here begin with.
        "destination" => destination: Option<String> = None;
        /// Whether the names here go without the prefix.
        "stripPrefix" => strip_prefix: bool = false;
    }
}

section! {
    /// Which tags are copied.
    pub struct SyncTags {
        /// Regular expression that they match.
        "regex" => regex: Option<String> = None;
        /// Regular expression that they do not match.
        "excludeRegex" => exclude_regex: Option<String> = None;
        /// Whether they must be semantic versions.
        "semver" => semver: bool = false;
    }
}

words! {
    /// Who is asked for credentials.
    pub enum CredentialHelper {
        /// Amazon's registry.
        "ecr" => Ecr,
        /// Google's clouds.
        "gcp" => Gcp,
        /// A token service.
        "oauth2" => OAuth2,
    }
}

impl SyncRegistry {
    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        if self.urls.is_empty() {
            report.problem(&path.key("urls"), "must name at least one URL");
        }
        if !self.manifest_check_interval.is_zero() && !self.on_demand {
            report.problem(&path.key("manifestCheckInterval"), "needs `onDemand`");
        }
        self.check_retries(path, report);
        self.check_rates(path, report);
        for (index, content) in self.content.iter().enumerate() {
            content.check(&path.key("content").index(index), report);
        }
        if self.credential_helper == Some(CredentialHelper::OAuth2) {
            let at = path.key("oauth2CredentialHelper");
            match &self.oauth2 {
                Some(helper) => helper.check(&at, report),
                None => report.problem(&at, "must be set for the credential helper `oauth2`"),
            }
        }
    }

    fn check_retries(&self, path: &KeyPath, report: &Report) {
        let Some(delay) = self.retry_delay else {
            for (key, set) in [("maxRetries", self.max_retries.is_some()), ("maxRetryDelay", self.max_retry_delay.is_some())] {
                if set {
                    report.problem(&path.key(key), "needs `retryDelay`");
                }
            }
            return;
        };
        if self.max_retry_delay.is_some_and(|most| most < delay) {
            report.problem(&path.key("maxRetryDelay"), "must not be less than `retryDelay`");
        }
    }

    fn check_rates(&self, path: &KeyPath, report: &Report) {
        let rates = [
            ("reqConcurrent", self.concurrent_requests == Some(0)),
            ("reqPerSec", self.requests_per_second.is_some_and(|rate| rate <= 0.0)),
            ("maxIdleConnsPerHost", self.max_idle_connections_per_host == Some(0)),
        ];
        for (key, _) in rates.iter().filter(|(_, bad)| *bad) {
            report.problem(&path.key(key), "must be greater than zero");
        }
    }
}

impl SyncContent {
    fn check(&self, path: &KeyPath, report: &Report) {
        pattern::check_glob(&self.prefix, &path.key("prefix"), report);
        if self.strip_prefix && self.destination.as_deref() == Some("/") && !self.prefix.contains("/*") {
            let message = "with the destination `/` the prefix needs a `/*`: nothing would be left of the name";
            report.problem(&path.key("stripPrefix"), message);
        }
        let Some(tags) = &self.tags else { return };
        for (key, regex) in [("regex", &tags.regex), ("excludeRegex", &tags.exclude_regex)] {
            if let Some(regex) = regex {
                pattern::check_regex(regex, &path.key("tags").key(key), report);
            }
        }
    }
}
