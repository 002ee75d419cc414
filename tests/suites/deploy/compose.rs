//! `compose.yaml`: its services are those that the configuration and the load balancer speak of. `tests/suites/clients/compose` runs it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{config, documents, strings, text};

fn services(file: &str) -> Map<String, Value> {
    documents(&text(file))[0]["services"].as_object().unwrap().clone()
}

/// The services that run `program`, without those that only come when asked for.
fn running(program: &str) -> BTreeSet<String> {
    let runs = |service: &Value| service["command"][0] == program && service["profiles"].is_null();
    services("compose.yaml").into_iter().filter(|(_, service)| runs(service)).map(|(name, _)| name).collect()
}

#[test]
fn nodes_are_those_of_the_configuration_and_named_like_their_hosts() {
    let nodes = running("zot-node");
    assert!(nodes.len() == 3);
    for file in ["config.json", "config.tls.json"] {
        let config = config(file);
        let addresses = strings(&config["cluster"]["nodes"]);
        assert_eq!(addresses.iter().map(|address| address.replace(":9090", "")).collect::<BTreeSet<_>>(), nodes);
    }
    for (name, service) in services("compose.yaml").iter().filter(|(_, service)| service["command"][0] == "zot-node") {
        assert_eq!(service["hostname"], **name);
        assert!(strings(&service["volumes"]).contains(&format!("{name}:/var/lib/zot").as_str()), "{name} has a volume of its own");
    }
}

#[test]
fn the_load_balancer_asks_every_gateway_at_the_port_of_its_configuration() {
    for (file, configuration) in
        [("haproxy.cfg", "config.json"), ("haproxy.tls.cfg", "config.json"), ("haproxy.passthrough.cfg", "config.tls.json")]
    {
        let port = config(configuration)["http"]["port"].as_str().unwrap().to_owned();
        let expected: BTreeSet<String> = running("zot-gateway").iter().map(|name| format!("server {name} {name}:{port}")).collect();
        let lines: BTreeSet<String> =
            text(file).lines().map(str::trim).filter(|line| line.starts_with("server ")).map(str::to_owned).collect();
        assert_eq!(lines, expected, "{file}");
    }
}

#[test]
fn every_service_is_watched_bounded_and_started_again() {
    for (name, service) in services("compose.yaml") {
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert!(service["healthcheck"]["test"].is_array(), "{name} is watched");
        assert!(name == "lb" || service["mem_limit"].is_string(), "{name} is bounded");
        let image = service["image"].as_str().unwrap();
        let pinned = image == "localhost/zot" || image.split_once(':').is_some_and(|(_, tag)| tag != "latest");
        assert!(pinned, "{name} may change without a change of this file");
    }
}

#[test]
fn whatever_the_services_name_is_there() {
    let file = &documents(&text("compose.yaml"))[0];
    // A version would make the first docker-compose refuse what the second knows.
    assert!(file["version"].is_null());
    let volumes = file["volumes"].as_object().unwrap();
    let services = file["services"].as_object().unwrap();
    for (name, service) in services {
        for mount in service["volumes"].as_array().into_iter().flatten() {
            let source = mount.as_str().unwrap().split(':').next().unwrap();
            let found = match source.strip_prefix("./") {
                Some(file) => super::path(file).exists(),
                None => volumes.contains_key(source),
            };
            assert!(found, "{name}: {source}");
        }
        for needed in service["depends_on"].as_object().into_iter().flatten().map(|(needed, _)| needed) {
            assert!(services.contains_key(needed), "{name}: {needed}");
        }
    }
}

#[test]
fn with_tls_every_member_gets_the_other_configuration_and_the_certificates() {
    let members = services("compose.yaml").into_iter().filter(|(_, service)| service["image"] == "localhost/zot").map(|(name, _)| name);
    let tls = services("compose.tls.yaml");
    for member in members {
        let volumes = ["./config.tls.json:/etc/zot/config.json:ro", "./certificates:/etc/zot/certificates:ro"];
        assert_eq!(strings(&tls[&member]["volumes"]), volumes, "{member}");
    }
}
