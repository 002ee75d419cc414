//! Which of the configured nodes is this one, where its internal plane listens, and what it is called.

use std::{
    io,
    net::{IpAddr, TcpListener, ToSocketAddrs},
};

use zot_config::{
    Config,
    cluster::{Cluster, PLANE_PORT_OFFSET},
};

/// Where a node is in its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What people call it.
    pub(super) name: String,
    /// Where the others reach it, as `host:port`.
    pub(super) advertised: String,
    /// Where it listens, as `address:port`.
    pub(super) listen: String,
}

/// It cannot be told where this node is in its cluster.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnknownPlace {
    /// None of the configured nodes is on this host.
    #[error("none of the cluster's nodes ({nodes}) is on this host `{host}`: set cluster.advertise to where the others reach it")]
    Nowhere {
        /// What is configured.
        nodes: String,
        /// This host.
        host: String,
    },
    /// Several of them are.
    #[error("several of the cluster's nodes are on this host ({nodes}): set cluster.advertise to the one that this is")]
    Several {
        /// Those.
        nodes: String,
    },
    /// The address has no port.
    #[error("cluster.advertise `{0}` is no `host:port`")]
    NoPort(String),
}

impl Place {
    /// Finds the place of this node.
    pub(super) fn find(config: &Config, cluster: &Cluster) -> Result<Self, UnknownPlace> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let advertised = match &cluster.advertise {
            Some(advertised) => advertised.clone(),
            None => choose(&cluster.node_addresses(), &host, port(config, cluster), is_local)?,
        };
        let (reached_at, port) = advertised.rsplit_once(':').ok_or_else(|| UnknownPlace::NoPort(advertised.clone()))?;
        let listen = cluster.listen.clone().unwrap_or_else(|| format!("{}:{port}", listen_address(reached_at)));
        let name = cluster.name.clone().unwrap_or(host);
        Ok(Self { name, listen, advertised })
    }
}

/// The port of the internal plane, where the configuration says it without naming a node.
fn port(config: &Config, cluster: &Cluster) -> Option<u16> {
    match &cluster.listen {
        Some(listen) => listen.rsplit_once(':')?.1.parse().ok(),
        None if cluster.nodes.is_empty() => config.http.port.checked_add(PLANE_PORT_OFFSET),
        None => None,
    }
}

/// Picks the node that is on this host, and at `port` if that is known.
fn choose(nodes: &[String], host: &str, port: Option<u16>, is_local: impl Fn(&str) -> bool) -> Result<String, UnknownPlace> {
    let is_here = |node: &&String| {
        let Some((name, at)) = node.rsplit_once(':') else { return false };
        port.is_none_or(|port| at == port.to_string()) && (name == host || is_local(name))
    };
    let here: Vec<&String> = nodes.iter().filter(is_here).collect();
    match here.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(UnknownPlace::Nowhere { nodes: nodes.join(", "), host: host.to_owned() }),
        several => Err(UnknownPlace::Several { nodes: several.iter().map(|node| node.as_str()).collect::<Vec<_>>().join(", ") }),
    }
}

/// Whether a name leads to an address of this host: only those can be listened on.
fn is_local(host: &str) -> bool {
    let addresses = (unbracketed(host), 0).to_socket_addrs();
    addresses.is_ok_and(|mut addresses| addresses.any(|address| TcpListener::bind(address).is_ok()))
}

/// What to listen on so that `host` reaches it: this host's loopback if that is what the others use, otherwise every address.
fn listen_address(host: &str) -> String {
    let resolved: io::Result<Vec<IpAddr>> =
        (unbracketed(host), 0).to_socket_addrs().map(|addresses| addresses.map(|address| address.ip()).collect());
    match resolved.ok().and_then(|addresses| addresses.into_iter().find(IpAddr::is_loopback)) {
        Some(IpAddr::V4(loopback)) => loopback.to_string(),
        Some(IpAddr::V6(loopback)) => format!("[{loopback}]"),
        None => "0.0.0.0".to_owned(),
    }
}

fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(nodes: &[&str], port: Option<u16>, local: &[&str]) -> Result<String, UnknownPlace> {
        let nodes: Vec<String> = nodes.iter().map(|&node| node.to_owned()).collect();
        choose(&nodes, "node2", port, |host| local.contains(&host))
    }

    #[test]
    fn the_node_named_like_this_host_is_this_one() {
        assert_eq!(chosen(&["node1:9090", "node2:9090"], None, &[]).unwrap(), "node2:9090");
    }

    #[test]
    fn of_several_nodes_on_this_host_the_port_decides() {
        let nodes = ["127.0.0.1:19000", "127.0.0.1:19001"];
        assert_eq!(chosen(&nodes, Some(19001), &["127.0.0.1"]).unwrap(), "127.0.0.1:19001");
        assert!(matches!(chosen(&nodes, None, &["127.0.0.1"]), Err(UnknownPlace::Several { .. })));
        assert!(matches!(chosen(&nodes, Some(1), &["127.0.0.1"]), Err(UnknownPlace::Nowhere { .. })));
    }

    #[test]
    fn a_node_that_others_reach_by_loopback_listens_there_only() {
        assert_eq!(listen_address("127.0.0.1"), "127.0.0.1");
        assert_eq!(listen_address("[::1]"), "[::1]");
        assert_eq!(listen_address("192.0.2.1"), "0.0.0.0");
    }

    #[test]
    fn members_of_a_scale_out_file_find_themselves_by_their_http_port() {
        let text = r#"{"storage": {"rootDirectory": "/d"}, "http": {"port": "9001"},
            "cluster": {"members": ["127.0.0.1:9000", "127.0.0.1:9001"], "hashKey": "loremipsumdolors"}}"#;
        let config = Config::parse("c.json".as_ref(), text).unwrap().config;
        let place = Place::find(&config, config.cluster.as_ref().unwrap()).unwrap();
        assert_eq!((place.advertised.as_str(), place.listen.as_str()), ("127.0.0.1:19001", "127.0.0.1:19001"));
    }
}
