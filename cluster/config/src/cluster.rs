//! `cluster`: the processes that serve as one registry.

use std::path::PathBuf;

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::secret::Secret;
use crate::setting::section::section;

/// The length that the hash function's key has.
const HASH_KEY_BYTES: usize = 16;

section! {
    /// The processes that serve as one registry.
    pub struct Cluster {
        /// `host:port` of every process, in the same order everywhere.
        "members" => members: Vec<String> = Vec::new();
        /// Key by which repositories are spread over the members, 16 characters, the same everywhere.
        "hashKey" => hash_key: Secret = Secret::default();
        /// How members prove themselves to each other.
        "tls" => tls: Option<ClusterTls> = None;
    }
}

section! {
    /// How members prove themselves to each other.
    pub struct ClusterTls {
        /// File with the certificate shown to other members.
        "cert" => cert: Option<PathBuf> = None;
        /// File with the key of that certificate.
        "key" => key: Option<PathBuf> = None;
        /// File with the authority of the other members' certificates; the system's if absent.
        "cacert" => cacert: Option<PathBuf> = None;
    }
}

/// The largest manifest that members hand to each other, in bytes: it must fit into one message.
pub const MANIFEST_BYTES_MAX: u64 = 15 * 1024 * 1024;

pub(crate) fn check_manifests(configured: u64, report: &Report) {
    if configured > MANIFEST_BYTES_MAX {
        let path = KeyPath::of("http").key("limits").key("manifestBytesMax");
        report.problem(&path, format!("members of a cluster hand at most {MANIFEST_BYTES_MAX} bytes to each other, found {configured}"));
    }
}

impl Cluster {
    pub(crate) fn check(&self, path: &KeyPath, report: &Report) {
        if self.members.is_empty() {
            report.problem(&path.key("members"), "cannot have 0 members in a scale out cluster");
        }
        for (index, member) in self.members.iter().enumerate() {
            self.check_member(index, member, &path.key("members").index(index), report);
        }
        if self.hash_key.reveal().len() != HASH_KEY_BYTES {
            report.problem(&path.key("hashKey"), "hashKey for scale out cluster must have 16 characters");
        }
        if self.tls.as_ref().is_some_and(|tls| tls.cert.is_some() != tls.key.is_some()) {
            report.problem(&path.key("tls"), "`cert` and `key` belong together");
        }
    }

    fn check_member(&self, index: usize, member: &str, path: &KeyPath, report: &Report) {
        let valid = member.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !valid {
            report.problem(path, format!("expected `host:port`, found {member:?}"));
        }
        if self.members[..index].iter().any(|earlier| earlier == member) {
            report.problem(path, format!("{member} is named twice"));
        }
    }
}
