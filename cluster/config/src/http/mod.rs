//! `http`: where the registry listens, how long it waits, and who may do what.

pub mod access_control;
pub mod auth;
pub(crate) mod limits;
pub(crate) mod network;
pub(crate) mod ratelimit;
pub(crate) mod tls;

use std::net::Ipv6Addr;
use std::time::Duration;

pub use access_control::AccessControl;
pub use auth::Auth;
pub use limits::Limits;
pub use network::Network;
pub use ratelimit::{MethodRate, RateLimit};
pub use tls::Tls;

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::duration::Timeout;
use crate::setting::section::section;

/// Accepts and serves docker's schema 2 media types.
const DOCKER_SCHEMA_2: &str = "docker2s2";

section! {
    /// `http`: where the registry listens, how long it waits, and who may do what.
    pub struct Http {
        /// Address to listen on: a name, an IPv4 address or an IPv6 address.
        "address" => address: String = "127.0.0.1".to_owned();
        /// Port to listen on; 0 lets the system choose.
        "port" => port: u16 = 8080;
        /// Public base URL, without a slash at its end.
        "externalUrl" => external_url: String = String::new();
        /// Realm named in challenges; empty for the usual one.
        "realm" => realm: String = String::new();
        /// Origin that browsers may call from; empty for any.
        "allowOrigin" => allow_origin: String = String::new();
        /// Longest wait for the next bytes of a request's body; it is not a limit on the whole request.
        "readTimeout" => read_timeout: Timeout = PROGRESS;
        /// Longest wait for a client to take the next bytes of an answer; it is not a limit on the whole answer.
        "writeTimeout" => write_timeout: Timeout = PROGRESS;
        /// Certificate and key; plain HTTP if absent.
        "tls" => tls: Option<Tls> = None;
        /// Proxies that are believed when they say whom they forward for.
        "trustedProxies" => trusted_proxies: Vec<Network> = Vec::new();
        /// Requests per second and client.
        "ratelimit" => ratelimit: Option<RateLimit> = None;
        /// Extensions of the accepted media types.
        "compat" => compat: Vec<String> = Vec::new();
        /// The ways in which a client can prove who it is.
        "auth" => auth: Auth = Auth::default();
        /// Who may do what; everybody everything, if absent.
        "accessControl" => access_control: Option<AccessControl> = None;
        /// Bounds on what one client may cost.
        "limits" => limits: Limits = Limits::default();
    }
}

/// zot's default for a whole request, kept here for a single wait.
const PROGRESS: Timeout = Timeout::after(Duration::from_secs(60));

impl Http {
    /// Whether docker's schema 2 media types are accepted beside OCI's.
    #[must_use]
    pub fn accepts_docker_schema_2(&self) -> bool {
        self.compat.iter().any(|mode| mode == DOCKER_SCHEMA_2)
    }

    /// `address:port`, as a listener takes it; an empty address means all of IPv4.
    #[must_use]
    pub fn listen_address(&self) -> String {
        let port = self.port;
        match self.address.as_str() {
            "" => format!("0.0.0.0:{port}"),
            address if address.parse::<Ipv6Addr>().is_ok() => format!("[{address}]:{port}"),
            address => format!("{address}:{port}"),
        }
    }

    /// Where this host reaches what listens on that address.
    #[must_use]
    pub fn local_address(&self) -> String {
        let listen = self.listen_address();
        let (host, port) = listen.rsplit_once(':').unwrap_or((&listen, ""));
        match host {
            "0.0.0.0" => format!("127.0.0.1:{port}"),
            "[::]" => format!("[::1]:{port}"),
            host => format!("{host}:{port}"),
        }
    }

    pub(crate) fn settle(&mut self) {
        self.external_url.truncate(self.external_url.trim_end_matches('/').len());
    }

    pub(crate) fn check(&self, path: &KeyPath, report: &Report) {
        if self.address.contains(|c: char| c == '/' || c.is_whitespace()) {
            report.problem(&path.key("address"), format!("expected a host name or an IP address, found {:?}", self.address));
        }
        for (index, mode) in self.compat.iter().enumerate().filter(|(_, mode)| *mode != DOCKER_SCHEMA_2) {
            let known = format!("unknown mode {mode:?} has no effect, the only known one is `{DOCKER_SCHEMA_2}`");
            report.warning(&path.key("compat").index(index), known);
        }
        if let Some(tls) = &self.tls {
            tls.check(&path.key("tls"), report);
        }
        if let Some(ratelimit) = &self.ratelimit {
            ratelimit.check(&path.key("ratelimit"), report);
        }
        self.auth.check(self.tls.as_ref(), &path.key("auth"), report);
        if self.auth.openid.is_some() {
            self.check_own_url(&path.key("externalUrl"), report);
        }
        if let Some(access_control) = &self.access_control {
            access_control.check(self.auth.is_on(self.tls.as_ref()), self.auth.tells_groups(), &path.key("accessControl"), report);
        }
        self.limits.check(&path.key("limits"), report);
    }

    /// Browsers come back to it from where their users log in.
    fn check_own_url(&self, path: &KeyPath, report: &Report) {
        let is_web = self.external_url.starts_with("https://") || self.external_url.starts_with("http://");
        if !self.external_url.is_empty() && !is_web {
            report.problem(path, format!("expected a URL that begins with https:// or http://, found {:?}", self.external_url));
        }
        let nowhere = matches!(self.address.as_str(), "" | "0.0.0.0" | "::") || self.port == 0;
        if self.external_url.is_empty() && nowhere {
            report
                .warning(path, "is needed for logins in the browser: the address and port here are none that a browser could come back to");
        }
    }
}
