//! `extensions.events`: telling others what happens.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::secret::Secret;
use crate::setting::section::section;
use crate::setting::{Found, Setting};

section! {
    /// Telling others what happens.
    pub struct Events {
        /// Whether they are told; unlike other extensions this one has to be turned on.
        "enable" => enable: bool = false;
        /// Who is told.
        "sinks" => sinks: Vec<EventSink> = Vec::new();
    }
}

section! {
    /// Somebody who is told.
    pub struct EventSink {
        /// How events are handed over.
        "type" => kind: Option<SinkKind> = None;
        /// URL of the sink.
        "address" => address: String = String::new();
        /// Subject, or an attribute of every event.
        "channel" => channel: Option<String> = None;
        /// Longest wait for the sink.
        "timeout" => timeout: Duration = Duration::from_secs(30);
        /// URL of a proxy on the way; HTTP only.
        "proxy" => proxy: Option<String> = None;
        /// Headers of every request; HTTP only.
        "headers" => headers: BTreeMap<String, Secret> = BTreeMap::new();
        /// How the registry proves itself.
        "credentials" => credentials: Option<EventCredentials> = None;
        /// How the connection is secured.
        "tlsconfig" => tls: Option<EventTls> = None;
    }
}

section! {
    /// How the registry proves itself to a sink.
    pub struct EventCredentials {
        /// A name.
        "username" => username: Option<String> = None;
        /// The password of that name.
        "password" => password: Option<Secret> = None;
        /// A file with credentials; NATS only.
        "file" => file: Option<PathBuf> = None;
        /// A token; HTTP only.
        "token" => token: Option<Secret> = None;
    }
}

section! {
    /// How the connection to a sink is secured.
    pub struct EventTls {
        /// File with the authority of the sink's certificate; the system's if absent.
        "cacertfile" => ca_cert_file: Option<PathBuf> = None;
        /// File with the certificate that is shown to the sink.
        "certfile" => cert_file: Option<PathBuf> = None;
        /// File with the key of that certificate.
        "keyfile" => key_file: Option<PathBuf> = None;
    }
}

/// How events are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// A POST for every event.
    Http,
    /// A message on a subject of NATS.
    Nats,
}

impl Setting for SinkKind {
    fn read(found: &Found<'_>) -> Option<Self> {
        match String::read(found)?.as_str() {
            "http" => Some(Self::Http),
            "nats" => Some(Self::Nats),
            other => {
                found.refuse(format!("event sink is not supported: {other:?}, supported are: http, nats"));
                None
            }
        }
    }

    fn show(&self) -> Value {
        Value::from(match self {
            Self::Http => "http",
            Self::Nats => "nats",
        })
    }
}

impl Events {
    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        if !self.enable && !self.sinks.is_empty() {
            report.warning(path, "no event is sent: `enable` has to be set to true");
        }
        for (index, sink) in self.sinks.iter().enumerate() {
            sink.check(&path.key("sinks").index(index), report);
        }
    }
}

impl EventSink {
    fn check(&self, path: &KeyPath, report: &Report) {
        if self.kind.is_none() {
            report.problem(&path.key("type"), "event sink is not supported: set the type to `http` or `nats`");
        }
        if self.address.is_empty() {
            report.problem(&path.key("address"), "must be set");
        }
        if self.tls.as_ref().is_some_and(|tls| tls.cert_file.is_some() != tls.key_file.is_some()) {
            report.problem(&path.key("tlsconfig"), "`certfile` and `keyfile` belong together");
        }
    }
}
