//! The configuration each server is measured with: its defaults, errors only in the log, no access
//! log, and for us durable writes.

use std::path::Path;

use clap::ValueEnum;
use serde_json::json;

/// The form of configuration that a program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// zot's file.
    Zot,
    /// The file of distribution, Debian's `docker-registry`.
    Distribution,
}

impl Dialect {
    /// The name that tells the program how to read the file.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Zot => "config.json",
            Self::Distribution => "config.yml",
        }
    }

    /// The file for a server on this port of the loopback address.
    pub(crate) fn render(self, root: &Path, port: u16) -> String {
        match self {
            Self::Zot => zot(root, port),
            Self::Distribution => distribution(root, port),
        }
    }
}

fn zot(root: &Path, port: u16) -> String {
    json!({
        "distSpecVersion": "1.1.1",
        "storage": { "rootDirectory": root, "gc": false, "commit": true },
        "http": { "address": "127.0.0.1", "port": port.to_string() },
        "log": { "level": "error" },
    })
    .to_string()
}

/// The descriptor cache is what Debian's own configuration turns on.
fn distribution(root: &Path, port: u16) -> String {
    let root = root.display();
    format!(
        "version: 0.1\n\
         log:\n  level: error\n  accesslog:\n    disabled: true\n\
         storage:\n  cache:\n    blobdescriptor: inmemory\n  \
         filesystem:\n    rootdirectory: {root}\n  delete:\n    enabled: true\n\
         http:\n  addr: 127.0.0.1:{port}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_file_asks_for_durable_writes() {
        let text = Dialect::Zot.render(Path::new("/data"), 5);
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(file["storage"]["commit"], true);
        assert_eq!(file["http"]["port"], "5");
    }

    #[test]
    fn the_peers_file_nests_by_two_spaces() {
        let text = Dialect::Distribution.render(Path::new("/data"), 5);
        assert!(text.contains("\n  filesystem:\n    rootdirectory: /data\n  delete:\n    enabled: true\nhttp:\n"));
    }
}
