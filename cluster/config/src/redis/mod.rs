//! How a Redis server or cluster is reached; the same keys serve the cache and the sessions.

mod ineffective;
mod reach;
mod url;

use std::path::PathBuf;
use std::time::Duration;

pub use reach::{Form, Reach, Server, Tls};

use crate::key_path::KeyPath;
use crate::report::{Problem, Report};
use crate::setting::secret::Secret;
use crate::setting::section::section;

section! {
    /// A Redis server or cluster, given as a URL or by the keys beside it; the URL's query knows the same keys, and wins.
    ///
    /// Keys that adjust a pool of connections, or let replicas answer, are accepted with a warning and do nothing: all commands share
    /// one connection to each server, and ask primaries only.
    pub struct Redis {
        /// `redis://`, `rediss://` or `unix://`, with options in its query; it may hold a password.
        "url" => url: Option<Secret> = None;
        /// What every key begins with; a default of the user's own if absent.
        "keyprefix" => key_prefix: Option<String> = None;
        /// Addresses as `host:port`; several without a master name are a cluster.
        "addr" => addresses: Vec<String> = Vec::new();
        /// Name that connections give themselves.
        "client_name" => client_name: Option<String> = None;
        /// Number of the database.
        "db" => database: u32 = 0;
        /// Version of the wire protocol, 2 or 3.
        "protocol" => protocol: Option<u32> = None;
        /// User to log in as, with the password; without one nobody logs in.
        "username" => username: Option<String> = None;
        /// Password to log in with.
        "password" => password: Option<Secret> = None;
        /// User at the sentinels.
        "sentinel_username" => sentinel_username: Option<String> = None;
        /// Password at the sentinels.
        "sentinel_password" => sentinel_password: Option<Secret> = None;
        /// Attempts after a failed command; -1 for none, any other number for one.
        "max_retries" => max_retries: Option<i64> = None;
        /// Shortest pause between attempts to connect.
        "min_retry_backoff" => min_retry_backoff: Option<Duration> = None;
        /// Longest pause between attempts to connect.
        "max_retry_backoff" => max_retry_backoff: Option<Duration> = None;
        /// Longest wait for a connection.
        "dial_timeout" => dial_timeout: Option<Duration> = None;
        /// Longest wait for an answer.
        "read_timeout" => read_timeout: Option<Duration> = None;
        /// Longest wait for a command to be sent.
        "write_timeout" => write_timeout: Option<Duration> = None;
        /// Whether the deadline of a caller bounds a command.
        "context_timeout_enabled" => context_timeout_enabled: bool = false;
        /// Whether connections are reused first in, first out.
        "pool_fifo" => pool_fifo: bool = false;
        /// Most connections of the pool.
        "pool_size" => pool_size: Option<u32> = None;
        /// Longest wait for a connection of the pool.
        "pool_timeout" => pool_timeout: Option<Duration> = None;
        /// Fewest idle connections.
        "min_idle_conns" => min_idle_connections: Option<u32> = None;
        /// Most idle connections.
        "max_idle_conns" => max_idle_connections: Option<u32> = None;
        /// Most connections in all.
        "max_active_conns" => max_active_connections: Option<u32> = None;
        /// Age of an idle connection at which it is closed.
        "conn_max_idle_time" => connection_max_idle_time: Option<Duration> = None;
        /// Age of a connection at which it is closed.
        "conn_max_lifetime" => connection_max_lifetime: Option<Duration> = None;
        /// Most redirections followed in a cluster.
        "max_redirects" => max_redirects: Option<i64> = None;
        /// Whether replicas may answer.
        "read_only" => read_only: bool = false;
        /// Whether the quickest node is asked.
        "route_by_latency" => route_by_latency: bool = false;
        /// Whether any node is asked.
        "route_randomly" => route_randomly: bool = false;
        /// PEM file of the authorities that a `rediss://` server's certificate may chain to, instead of the system's.
        "cacert" => ca_certificates: Option<PathBuf> = None;
        /// Whether a `rediss://` server's certificate is taken whatever it is.
        "skip_verify" => skip_verify: bool = false;
        /// Name of the master; the addresses are then sentinels.
        "master_name" => master_name: Option<String> = None;
        /// Whether the client library keeps its name to itself.
        "disable_identity" => disable_identity: bool = false;
        /// What is added to the client library's name.
        "identity_suffix" => identity_suffix: Option<String> = None;
        /// Whether unstable answers of protocol 3 are understood.
        "unstable_resp3" => unstable_resp3: bool = false;
    }
}

impl Redis {
    pub(crate) fn check(&self, path: &KeyPath, report: &Report) {
        if let Some(reach) = reach::read(self, path, report) {
            ineffective::warn(self, &reach, path, report);
        }
    }

    /// Where the servers are and how they are spoken to.
    ///
    /// # Errors
    /// Everything that is wrong with the settings; a configuration that was loaded has nothing wrong with it.
    pub fn reach(&self) -> Result<Reach, Vec<Problem>> {
        let report = Report::default();
        let reach = reach::read(self, &KeyPath::of("redis"), &report);
        let (problems, _) = report.into_parts();
        reach.filter(|_| problems.is_empty()).ok_or(problems)
    }
}

#[cfg(test)]
mod tests;
