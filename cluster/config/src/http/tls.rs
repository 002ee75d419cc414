//! `http.tls`: the certificate the registry shows, and the authority that clients' certificates are checked against.

use std::path::PathBuf;

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::section;

section! {
    /// Certificate and key in PEM; a checked configuration has both or no such section.
    pub struct Tls {
        /// File with the certificate chain, the registry's own certificate first.
        "cert" => cert: PathBuf = PathBuf::new();
        /// File with the private key.
        "key" => key: PathBuf = PathBuf::new();
        /// File with the authorities that may sign clients' certificates; if absent, clients need none.
        "cacert" => cacert: Option<PathBuf> = None;
    }
}

impl Tls {
    /// Half a pair would mean plain HTTP where the operator asked for TLS.
    pub(crate) fn check(&self, path: &KeyPath, report: &Report) {
        for (key, file, other) in [("cert", &self.cert, "key"), ("key", &self.key, "cert")] {
            if file.as_os_str().is_empty() {
                report.problem(&path.key(key), format!("TLS needs both `cert` and `key`, set it beside `{other}` or remove the section"));
            }
        }
    }
}
