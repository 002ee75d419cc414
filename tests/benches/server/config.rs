//! The configuration each server is measured with: its defaults, errors only in the log, no access
//! log, and for us durable writes.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Value, json};

/// The form of configuration that a program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// zot's file.
    Zot,
    /// zot's file, for a storage node and a gateway that stand beside the program: what it costs to be two processes.
    Split,
    /// The file of distribution, Debian's `docker-registry`.
    Distribution,
}

impl Dialect {
    /// The name that tells the program how to read the file.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Zot | Self::Split => "config.json",
            Self::Distribution => "config.yml",
        }
    }

    /// What answers with success once the server is ready.
    pub(crate) fn ready_path(self) -> &'static str {
        match self {
            Self::Zot | Self::Split => "/readyz",
            Self::Distribution => "/v2/",
        }
    }

    /// The programs to start, given the one that is named: the one that stores first.
    pub(crate) fn programs(self, program: &Path) -> Vec<PathBuf> {
        match self {
            Self::Zot | Self::Distribution => vec![program.to_owned()],
            Self::Split => ["zot-node", "zot-gateway"].map(|name| program.with_file_name(name)).into(),
        }
    }

    /// The file for a server on the first of these ports of the loopback address; the second is for what stays inside.
    pub(crate) fn render(self, root: &Path, ports: [u16; 2]) -> String {
        match self {
            Self::Zot => zot(root, ports[0]).to_string(),
            Self::Split => split(root, ports),
            Self::Distribution => distribution(root, ports[0]),
        }
    }
}

fn zot(root: &Path, port: u16) -> Value {
    json!({
        "distSpecVersion": "1.1.1",
        "storage": { "rootDirectory": root, "gc": false, "commit": true },
        "http": { "address": "127.0.0.1", "port": port.to_string() },
        "log": { "level": "error" },
    })
}

fn split(root: &Path, [port, plane]: [u16; 2]) -> String {
    let mut file = zot(root, port);
    let plane = format!("127.0.0.1:{plane}");
    file["cluster"] = json!({ "nodes": [plane], "hashKey": "loremipsumdolors", "listen": plane });
    file.to_string()
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
        let text = Dialect::Zot.render(Path::new("/data"), [5, 6]);
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(file["storage"]["commit"], true);
        assert_eq!(file["http"]["port"], "5");
    }

    #[test]
    fn the_peers_file_nests_by_two_spaces() {
        let text = Dialect::Distribution.render(Path::new("/data"), [5, 6]);
        assert!(text.contains("\n  filesystem:\n    rootdirectory: /data\n  delete:\n    enabled: true\nhttp:\n"));
    }
}
