//! The Kubernetes manifests: whatever one of them names, another one has.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::{config, documents, find, path, run, strings, text};

/// Every object of the files that the kustomization lists.
fn objects() -> Vec<Value> {
    let kustomization = &documents(&text("kubernetes/kustomization.yaml"))[0];
    let files = strings(&kustomization["resources"]).into_iter().map(|file| text(&format!("kubernetes/{file}")));
    files.flat_map(|file| documents(&file)).collect()
}

fn of_kind(kind: &str) -> Vec<Value> {
    objects().into_iter().filter(|object| object["kind"] == kind).collect()
}

/// The workloads: what has a template of pods.
fn workloads() -> Vec<Value> {
    let found: Vec<Value> = objects().into_iter().filter(|object| object["spec"]["template"].is_object()).collect();
    assert_eq!(found.len(), 2);
    found
}

/// The workload whose pods have these labels.
fn selected<'a>(workloads: &'a [Value], labels: &Value) -> &'a Value {
    let labels = labels.as_object().unwrap_or_else(|| panic!("no labels: {labels}"));
    let has = |workload: &&Value| labels.iter().all(|(key, value)| workload["spec"]["template"]["metadata"]["labels"][key] == *value);
    workloads.iter().find(has).unwrap_or_else(|| panic!("no pods have {labels:?}"))
}

fn container(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]["containers"][0]
}

fn port_names(workload: &Value) -> Vec<&str> {
    container(workload)["ports"].as_array().unwrap().iter().map(|port| port["name"].as_str().unwrap()).collect()
}

#[test]
fn selectors_find_pods_and_ports_are_theirs() {
    let workloads = workloads();
    for workload in &workloads {
        assert_eq!(selected(&workloads, &workload["spec"]["selector"]["matchLabels"]), workload);
    }
    for service in of_kind("Service") {
        let pods = selected(&workloads, &service["spec"]["selector"]);
        assert!(port_names(pods).contains(&service["spec"]["ports"][0]["targetPort"].as_str().unwrap()));
    }
    for budget in of_kind("PodDisruptionBudget") {
        assert_eq!(selected(&workloads, &budget["spec"]["selector"]["matchLabels"])["metadata"]["name"], budget["metadata"]["name"]);
    }
    for policy in of_kind("NetworkPolicy") {
        let pods = selected(&workloads, &policy["spec"]["podSelector"]["matchLabels"]);
        let rule = &policy["spec"]["ingress"][0];
        assert!(port_names(pods).contains(&rule["ports"][0]["port"].as_str().unwrap()));
        for from in rule["from"].as_array().into_iter().flatten() {
            selected(&workloads, &from["podSelector"]["matchLabels"]);
        }
    }
}

#[test]
fn the_internal_plane_is_for_gateways_and_nodes_only() {
    let policies = of_kind("NetworkPolicy");
    let of_nodes = policies.iter().find(|policy| policy["metadata"]["name"] == "zot-node").unwrap();
    let rules = of_nodes["spec"]["ingress"].as_array().unwrap();
    let from = rules.iter().flat_map(|rule| rule["from"].as_array().unwrap());
    let names: BTreeSet<&str> = from.map(|from| from["podSelector"]["matchLabels"]["app.kubernetes.io/name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["zot-gateway", "zot-node"]));
    for service in of_kind("Service").iter().filter(|service| service["spec"]["selector"]["app.kubernetes.io/name"] == "zot-node") {
        assert_eq!(service["spec"]["clusterIP"], "None", "nothing but the pods' own addresses leads to nodes");
    }
}

#[test]
fn ingresses_and_stateful_sets_name_services_that_are_there() {
    let services = of_kind("Service");
    let named = |name: &Value| services.iter().find(|service| service["metadata"]["name"] == *name).unwrap_or_else(|| panic!("no {name}"));
    for set in of_kind("StatefulSet") {
        named(&set["spec"]["serviceName"]);
    }
    for ingress in of_kind("Ingress") {
        let backend = &ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"];
        assert_eq!(named(&backend["name"])["spec"]["ports"][0]["name"], backend["port"]["name"]);
    }
}

#[test]
fn nodes_of_the_configuration_are_pods_of_the_set() {
    let (set, config) = (&of_kind("StatefulSet")[0], config("kubernetes/config.json"));
    let (name, replicas) = (set["metadata"]["name"].as_str().unwrap(), set["spec"]["replicas"].as_u64().unwrap());
    let service = set["spec"]["serviceName"].as_str().unwrap();
    let port = container(set)["ports"][0]["containerPort"].as_u64().unwrap();
    let expected: Vec<String> = (0..replicas).map(|index| format!("{name}-{index}.{service}:{port}")).collect();
    assert_eq!(strings(&config["cluster"]["nodes"]), expected);
    assert_eq!(strings(&container(set)["command"])[3..], ["--advertise", &format!("$(POD_NAME).{service}:{port}")]);
    for probe in ["startupProbe", "readinessProbe"] {
        let command = strings(&container(set)[probe]["exec"]["command"]).join(" ");
        assert!(command.contains(&format!(" --node $POD_NAME.{service}:{port} ")), "{command}");
    }
}

#[test]
fn a_start_may_take_long() {
    let (gateway, node) = (&of_kind("Deployment")[0], &of_kind("StatefulSet")[0]);
    for probe in ["startupProbe", "livenessProbe"] {
        assert_eq!(container(gateway)[probe]["httpGet"]["path"], "/livez", "it answers while it starts");
    }
    let startup = &container(node)["startupProbe"];
    let seconds = startup["periodSeconds"].as_u64().unwrap() * startup["failureThreshold"].as_u64().unwrap();
    assert!(seconds >= 24 * 60 * 60, "a node is killed after {seconds} seconds of adoption");
}

#[test]
fn pods_mount_what_the_configuration_wants_and_may_do_nothing_else() {
    let config = config("kubernetes/config.json");
    for workload in workloads() {
        let (pod, container) = (&workload["spec"]["template"]["spec"], container(&workload));
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(pod["volumes"][0]["secret"]["secretName"], "zot-config");
        let mounts: BTreeSet<&str> =
            container["volumeMounts"].as_array().unwrap().iter().map(|mount| mount["mountPath"].as_str().unwrap()).collect();
        assert!(mounts.contains("/etc/zot"));
        let is_node = workload["kind"] == "StatefulSet";
        assert_eq!(mounts.contains(config["storage"]["rootDirectory"].as_str().unwrap()), is_node, "only nodes keep anything");
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        let drain = config["http"]["limits"]["drainTimeout"].as_str().unwrap().trim_end_matches('s').parse::<u64>().unwrap();
        assert!(grace > drain + 5, "requests under way can finish");
    }
}

#[test]
fn kustomize_puts_it_together() {
    let Some(kubectl) = find("kubectl", "kubernetes::kustomize_puts_it_together") else { return };
    let rendered = documents(&run(Command::new(kubectl).arg("kustomize").arg(path("kubernetes"))));
    let secret = rendered.iter().find(|object| object["kind"] == "Secret").unwrap();
    let name = &secret["metadata"]["name"];
    for workload in rendered.iter().filter(|object| object["spec"]["template"].is_object()) {
        let pod = &workload["spec"]["template"];
        assert_eq!(pod["spec"]["volumes"][0]["secret"]["secretName"], *name, "a change of the configuration is a change of the pods");
        assert_eq!(pod["metadata"]["labels"]["app.kubernetes.io/part-of"], "zot");
    }
    assert!(rendered.iter().all(|object| object["kind"] == "Namespace" || object["metadata"]["namespace"] == "zot"));
}
