//! What a Redis section comes to: in which form the servers stand together, where they are, and whether TLS is spoken.

use std::path::PathBuf;

use super::{Redis, url};
use crate::key_path::KeyPath;
use crate::report::Report;

/// Where servers listen that are named without a port.
const PORT: u16 = 6379;
/// Where sentinels listen that are named without a port.
const SENTINEL_PORT: u16 = 26379;

/// Where Redis is and how it is spoken to.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    /// How the servers stand together.
    pub form: Form,
    /// The servers to begin with, at least one.
    pub servers: Vec<Server>,
    /// How TLS is spoken, if it is.
    pub tls: Option<Tls>,
    /// All keys, those of the URL among them.
    pub settings: Redis,
}

/// How servers stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// There is one.
    Single,
    /// They are sentinels, and know where the primary of this name is.
    Sentinels {
        /// The name.
        master: String,
    },
    /// They share the keys among them.
    Cluster,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// At a port of a host.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// At a socket in the file system.
    Unix(PathBuf),
}

/// How TLS is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Whether the server's certificate is verified.
    pub verify: bool,
    /// PEM file of the authorities to verify it with; those of the system if absent.
    pub ca_certificates: Option<PathBuf>,
}

/// Puts the URL and the keys beside it together; `None` after a problem.
pub(super) fn read(redis: &Redis, path: &KeyPath, report: &Report) -> Option<Reach> {
    let (settings, scheme) = match &redis.url {
        Some(text) => url::merge(text.reveal(), redis, path, report)?,
        None => (redis.clone(), url::Scheme::Redis),
    };
    let form = form(&settings);
    let tls =
        (scheme == url::Scheme::Rediss).then(|| Tls { verify: !settings.skip_verify, ca_certificates: settings.ca_certificates.clone() });
    let servers = match scheme {
        url::Scheme::Unix(socket) => vec![Server::Unix(socket)],
        url::Scheme::Redis | url::Scheme::Rediss => tcp_servers(&settings, &form, path, report)?,
    };
    let reach = Reach { form, servers, tls, settings };
    check(&reach, path, report).then_some(reach)
}

fn form(settings: &Redis) -> Form {
    match &settings.master_name {
        Some(master) => Form::Sentinels { master: master.clone() },
        None if settings.addresses.len() > 1 => Form::Cluster,
        None => Form::Single,
    }
}

fn tcp_servers(settings: &Redis, form: &Form, path: &KeyPath, report: &Report) -> Option<Vec<Server>> {
    if settings.addresses.is_empty() {
        report.problem(&path.key("url"), "either `url` or `addr` is needed");
        return None;
    }
    let port = if matches!(form, Form::Sentinels { .. }) { SENTINEL_PORT } else { PORT };
    let server = |(index, address): (usize, &String)| {
        let server = tcp_server(address, port);
        if server.is_none() {
            report.problem(&path.key("addr").index(index), format!("expected `host:port`, is {address:?}"));
        }
        server
    };
    settings.addresses.iter().enumerate().map(server).collect()
}

/// `host`, `host:port`, `:port` on this machine, or `[address]:port`.
fn tcp_server(address: &str, default_port: u16) -> Option<Server> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => address.split_at(address.find(':').unwrap_or(address.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok()?,
        None if port.is_empty() => default_port,
        None => return None,
    };
    let host = if host.is_empty() { "localhost" } else { host };
    let plain = !host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@'));
    plain.then(|| Server::Tcp { host: host.to_owned(), port })
}

/// Whether what was put together makes sense.
fn check(reach: &Reach, path: &KeyPath, report: &Report) -> bool {
    let settings = &reach.settings;
    let socket = matches!(reach.servers[..], [Server::Unix(_)]);
    let problems = [
        (socket && reach.form != Form::Single, "master_name", "has no meaning with a `unix://` URL"),
        (reach.tls.is_none() && settings.ca_certificates.is_some(), "cacert", "has a meaning for a `rediss://` URL only"),
        (reach.tls.is_none() && settings.skip_verify, "skip_verify", "has a meaning for a `rediss://` URL only"),
        (!matches!(settings.protocol, None | Some(0 | 2 | 3)), "protocol", "must be 2 or 3"),
    ];
    for (_, key, message) in problems.iter().filter(|(wrong, ..)| *wrong) {
        report.problem(&path.key(key), *message);
    }
    problems.iter().all(|(wrong, ..)| !wrong)
}
