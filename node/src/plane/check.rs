//! What would stand in the way of this host's part in the cluster.

use zot_config::{Config, KeyPath, Problem, Warning, cluster::Cluster, try_listening};
use zot_process::Findings;
use zot_redis::Connection;
use zot_runtime::telemetry::chain;

use super::address::{Place, UnknownPlace};

/// What is wrong with a configuration for a node on this host, and what may be.
pub fn check(config: &Config) -> Findings {
    config.cluster.as_ref().map_or_else(Findings::default, |cluster| place(config, cluster).and(redis(cluster)))
}

fn place(config: &Config, cluster: &Cluster) -> Findings {
    let mut findings = Findings::default();
    let found = Place::find(config, cluster);
    let listen = found.as_ref().ok().map(|place| &place.listen).or(cluster.listen.as_ref());
    if let Some(error) = listen.and_then(|listen| try_listening(listen).err()) {
        findings.problems.push(Problem { path: KeyPath::of("cluster.listen"), message: chain(&error).to_string() });
    }
    let path = KeyPath::of("cluster.advertise");
    match found {
        Ok(_) => {}
        Err(error @ UnknownPlace::NoPort(_)) => findings.problems.push(Problem { path, message: error.to_string() }),
        // One file is for all nodes, and is often looked at on a host that is none.
        Err(error) => findings.warnings.push(Warning { path, message: format!("a node could not be started here: {error}") }),
    }
    findings
}

fn redis(cluster: &Cluster) -> Findings {
    let unusable = cluster.redis.as_ref().and_then(|redis| Connection::open(redis).err());
    let problem = unusable.map(|error| Problem { path: KeyPath::of("cluster.redis"), message: chain(&error).to_string() });
    Vec::from_iter(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cluster: &str) -> (Vec<String>, Vec<String>) {
        let text = format!(r#"{{"storage": {{"rootDirectory": "/d"}}, "cluster": {{"hashKey": "0123456789abcdef", {cluster}}}}}"#);
        let Findings { problems, warnings } = check(&Config::parse("c.json".as_ref(), &text).unwrap().config);
        (problems.iter().map(ToString::to_string).collect(), warnings.iter().map(ToString::to_string).collect())
    }

    fn nothing() -> (Vec<String>, Vec<String>) {
        (Vec::new(), Vec::new())
    }

    #[test]
    fn a_node_on_this_host_is_found() {
        assert_eq!(found(r#""nodes": ["127.0.0.1:0", "203.0.113.1:0"]"#), nothing());
        assert_eq!(found(r#""nodes": ["203.0.113.1:0"], "advertise": "127.0.0.1:0", "listen": "127.0.0.1:0""#), nothing());
    }

    #[test]
    fn a_file_for_other_hosts_is_warned_of_and_can_be_used() {
        let (problems, warnings) = found(r#""nodes": ["203.0.113.1:9090", "203.0.113.2:9090"]"#);
        assert!(problems.is_empty(), "{problems:?}");
        assert!(
            warnings.len() == 1 && warnings[0].starts_with("cluster.advertise: a node could not be started here: none"),
            "{warnings:?}"
        );
        let (problems, warnings) = found(r#""nodes": ["127.0.0.1:1", "127.0.0.1:2"]"#);
        assert!(problems.is_empty() && warnings[0].contains("several of the cluster's nodes"), "{problems:?} {warnings:?}");
    }

    #[test]
    fn an_address_that_nobody_can_listen_on_is_a_problem() {
        for member in ["127.0.0.1:0", "203.0.113.1:0"] {
            let (problems, _) = found(&format!(r#""nodes": ["{member}"], "listen": "203.0.113.7:0""#));
            assert!(problems.len() == 1 && problems[0].starts_with("cluster.listen: cannot listen on 203.0.113.7:0: "), "{problems:?}");
        }
        let (problems, _) = found(r#""nodes": ["127.0.0.1:0"], "listen": "no-such-host.invalid:1""#);
        assert!(problems[0].starts_with("cluster.listen: `no-such-host.invalid:1` cannot be resolved: "), "{problems:?}");
    }

    #[test]
    fn what_certifies_redis_is_looked_at() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let (problems, _) = found(&format!(r#""nodes": ["127.0.0.1:0"], "redis": {{"url": "rediss://r", "cacert": "{file}"}}"#));
        assert_eq!(problems, [format!("cluster.redis: find certificates in `{file}`")]);
    }
}
