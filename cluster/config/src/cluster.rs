//! `cluster`: the processes that serve as one registry.

use std::path::{Path, PathBuf};

use crate::http::Http;
use crate::key_path::KeyPath;
use crate::redis::Redis;
use crate::report::{Problem, Report};
use crate::setting::secret::Secret;
use crate::setting::section::section;
use crate::source::{ConfigError, read};
use crate::storage::{Storage, Store};

/// The length that the hash function's key has.
const HASH_KEY_BYTES: usize = 16;

/// The fewest characters of the secret by which nodes know what gateways decided.
const CLAIM_KEY_CHARS_MIN: usize = 16;

/// What stands in the examples of zot and in the files that come with the registry: no secret to anybody.
const PUBLISHED: [&str; 3] = ["loremipsumdolors", "sixteen-letters!", "replace this by a secret of your own"];

/// How far the port of a member's internal plane is above that of its HTTP, where `members` are all that is known of them.
pub const PLANE_PORT_OFFSET: u16 = 10_000;

section! {
    /// The processes that serve as one registry.
    pub struct Cluster {
        /// `host:port` where the HTTP of every process is reached, in the same order everywhere: for processes that are gateway and node in one.
        "members" => members: Vec<String> = Vec::new();
        /// `host:port` where the internal plane of the storage nodes is reached: to form the cluster, and to find it.
        "nodes" => nodes: Vec<String> = Vec::new();
        /// Key by which repositories are spread over the nodes, 16 characters, the same everywhere.
        "hashKey" => hash_key: Secret = Secret::default();
        /// Secret by which nodes know what gateways decided, at least 16 characters, the same everywhere; `hashKey` if absent.
        "claimKey" => claim_key: Option<Secret> = None;
        /// File with that secret, in the place of `claimKey`.
        "claimKeyFile" => claim_key_file: Option<PathBuf> = None;
        /// What people call this node; the name of its host if absent.
        "name" => name: Option<String> = None;
        /// `address:port` that the internal plane of this node listens on; every address, at the port it is reached at, if absent.
        "listen" => listen: Option<String> = None;
        /// `host:port` where the other nodes reach this one; the one of the nodes that is on this host if absent.
        "advertise" => advertise: Option<String> = None;
        /// Local directory of what the nodes agreed on; `_cluster` in the root directory of the storage if absent.
        "directory" => directory: Option<PathBuf> = None;
        /// How members prove themselves to each other.
        "tls" => tls: Option<ClusterTls> = None;
        /// Redis for what all nodes should know of and may lose: how far uploads are.
        "redis" => redis: Option<Redis> = None;
    }
}

section! {
    /// How members prove themselves to each other.
    pub struct ClusterTls {
        /// File with the certificate shown to other members.
        "cert" => cert: Option<PathBuf> = None;
        /// File with the key of that certificate.
        "key" => key: Option<PathBuf> = None;
        /// File with the authority of the other members' certificates.
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
    /// Where the internal planes of the nodes are reached, in the order of the file.
    #[must_use]
    pub fn node_addresses(&self) -> Vec<String> {
        if self.nodes.is_empty() { self.members.iter().filter_map(|member| plane_of(member)).collect() } else { self.nodes.clone() }
    }

    /// Where this process keeps what is its own below the root directory of a store: zot's scale-out files give all members of a host the same
    /// one.
    #[must_use]
    pub fn own_directory(&self, root: &Path, http_port: u16) -> PathBuf {
        if self.members.is_empty() { root.to_owned() } else { root.join("_members").join(http_port.to_string()) }
    }

    /// The key that repositories are hashed with.
    #[must_use]
    pub fn hash_key_bytes(&self) -> Option<[u8; HASH_KEY_BYTES]> {
        self.hash_key.reveal().as_bytes().try_into().ok()
    }

    pub(crate) fn check(&self, path: &KeyPath, storage: &Storage, http: &Http, report: &Report) {
        match (self.members.is_empty(), self.nodes.is_empty()) {
            (true, true) => report.problem(&path.key("members"), "cannot have 0 members in a scale out cluster: give `members` or `nodes`"),
            (false, false) => report.problem(&path.key("nodes"), "give either `members` or `nodes`"),
            _ => {}
        }
        check_addresses(&self.members, &path.key("members"), report);
        check_addresses(&self.nodes, &path.key("nodes"), report);
        for (key, address) in [("listen", &self.listen), ("advertise", &self.advertise)] {
            check_addresses(address.as_slice(), &path.key(key), report);
        }
        if !self.members.is_empty() && self.listen.is_none() && http.port.checked_add(PLANE_PORT_OFFSET).is_none() {
            let message = format!("the internal plane would listen {PLANE_PORT_OFFSET} above http.port, which no port is: give `listen`");
            report.problem(&path.key("members"), message);
        }
        if self.hash_key_bytes().is_none() {
            report.problem(&path.key("hashKey"), "hashKey for scale out cluster must have 16 characters");
        }
        self.check_claim_key(path, report);
        if self.tls.as_ref().is_some_and(|tls| tls.cert.is_none() || tls.key.is_none() || tls.cacert.is_none()) {
            report.problem(&path.key("tls"), "`cert`, `key` and `cacert` belong together: the members check each other's certificates");
        }
        if let Some(redis) = &self.redis {
            redis.check(&path.key("redis"), report);
        }
        self.check_directory(storage, path, report);
        self.check_storage(storage, report);
    }

    /// A store of this machine's disk has a directory, or is refused for having none.
    fn check_directory(&self, storage: &Storage, path: &KeyPath, report: &Report) {
        let store = &storage.default;
        if self.directory.is_none() && store.storage_driver.is_some() && store.root_directory.as_os_str().is_empty() {
            let message = "what the nodes agreed on needs a local directory: give this, or `storage.rootDirectory`";
            report.problem(&path.key("directory"), message);
        }
    }

    fn check_claim_key(&self, path: &KeyPath, report: &Report) {
        let claim_key = path.key("claimKey");
        if self.claim_key.is_some() && self.claim_key_file.is_some() {
            report.problem(&path.key("claimKeyFile"), "exclusive with `claimKey`: keep one of the two");
        }
        if self.claim_key.as_ref().is_some_and(is_short) {
            report.problem(&claim_key, format!("must have at least {CLAIM_KEY_CHARS_MIN} characters"));
        }
        let (path, secret) = match (&self.claim_key, &self.claim_key_file) {
            (Some(secret), _) => (claim_key, secret),
            (None, None) => (path.key("hashKey"), &self.hash_key),
            (None, Some(_)) => return,
        };
        if PUBLISHED.contains(&secret.reveal()) {
            let message = "stands in files that anybody can read, and whoever knows it can tell the nodes what gateways decided: \
                           give `claimKey` or `claimKeyFile` a secret of your own, in all members at once";
            report.warning(&path, message);
        }
    }

    /// The secret by which nodes know what gateways decided.
    ///
    /// # Errors
    /// Its file cannot be read, or holds less than a secret has.
    pub fn claim_secret(&self) -> Result<Secret, ConfigError> {
        let Some(file) = &self.claim_key_file else { return Ok(self.claim_key.clone().unwrap_or_else(|| self.hash_key.clone())) };
        let secret = Secret::new(read(file)?.trim());
        if is_short(&secret) {
            let message = format!("must hold a secret of at least {CLAIM_KEY_CHARS_MIN} characters, and nothing else");
            let problems = vec![Problem { path: KeyPath::root(), message }];
            return Err(ConfigError::Invalid { path: file.clone(), problems });
        }
        Ok(secret)
    }

    /// Nodes either all reach the same stores, or each has a disk of its own.
    fn check_storage(&self, storage: &Storage, report: &Report) {
        if self.node_addresses().len() < 2 {
            return;
        }
        let remote = storage.default.storage_driver.is_some();
        for (path, store) in storage.stores() {
            if store.storage_driver.is_some() != remote {
                report.problem(&path.key("storageDriver"), "the stores of a cluster must be either all remote or all local");
            } else if remote && !store.has_remote_metadata() {
                check_metadata(store, &path, report);
            }
        }
        if !remote {
            let message = "the storage of each node is its own: repositories stay on the node they were first pushed to, \
                           and cannot be reached while it is down";
            report.warning(&KeyPath::of("cluster"), message);
        } else if self.redis.is_none() {
            let message = "is absent, so that uploads in progress are known to their own node alone: they do not survive its death, no other \
                           node can go on with them, and what dead nodes leave of uploads in the stores is not removed";
            report.warning(&KeyPath::of("cluster").key("redis"), message);
        }
    }
}

fn is_short(secret: &Secret) -> bool {
    secret.reveal().chars().count() < CLAIM_KEY_CHARS_MIN
}

/// Says how a remote store of several nodes comes to metadata that all of them reach.
fn check_metadata(store: &Store, path: &KeyPath, report: &Report) {
    let needed = "several nodes need metadata that all of them reach";
    if store.cache_driver.is_some() {
        let message = format!("{needed}: set it to true, so that `cacheDriver` is used; by default it is where `dedupe` is on");
        report.problem(&path.key("remoteCache"), message);
    } else {
        let message = format!("{needed}: configure `dynamodb`; with metadata on its own disk, a remote store can serve one node");
        report.problem(&path.key("cacheDriver"), message);
    }
}

/// Where the internal plane of a member is reached whose HTTP is reached at `member`.
fn plane_of(member: &str) -> Option<String> {
    let (host, port) = host_and_port(member)?;
    Some(format!("{host}:{}", port.checked_add(PLANE_PORT_OFFSET)?))
}

fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty()).then_some((host, port.parse().ok()?))
}

fn check_addresses(addresses: &[String], path: &KeyPath, report: &Report) {
    for (index, address) in addresses.iter().enumerate() {
        let path = path.index(index);
        if host_and_port(address).is_none() {
            report.problem(&path, format!("expected `host:port`, found {address:?}"));
        }
        if addresses[..index].contains(address) {
            report.problem(&path, format!("{address} is named twice"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_internal_plane_of_a_member_is_above_its_http() {
        let cluster = Cluster { members: vec!["a:9000".to_owned(), "[::1]:9001".to_owned()], ..Cluster::default() };
        assert_eq!(cluster.node_addresses(), ["a:19000", "[::1]:19001"]);
        let cluster = Cluster { nodes: vec!["n1:9090".to_owned()], ..Cluster::default() };
        assert_eq!(cluster.node_addresses(), ["n1:9090"]);
    }

    #[test]
    fn members_of_one_host_have_directories_of_their_own_in_the_one_that_their_files_name() {
        let members = Cluster { members: vec!["h:9000".to_owned(), "h:9001".to_owned()], ..Cluster::default() };
        let own = |port| members.own_directory(Path::new("/d"), port);
        assert_eq!([own(9000), own(9001)], [PathBuf::from("/d/_members/9000"), PathBuf::from("/d/_members/9001")]);
        let nodes = Cluster { nodes: vec!["h:9090".to_owned()], ..Cluster::default() };
        assert_eq!(nodes.own_directory(Path::new("/d"), 9000), Path::new("/d"));
    }
}
