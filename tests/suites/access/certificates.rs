//! Users who show a certificate, in both shapes.

use std::{fs, path::Path};

use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use zot_tests::{Client, Cluster, Sandbox};

use super::matrix::{AT_ONCE, Row, TABLE, path, refused};
use crate::tls::{Authority, Trust, authority, install, issue, trust};

/// Whatever serves, and where.
struct Served {
    urls: Vec<String>,
    servers: Authority,
    clients: Authority,
    _process: (Option<Sandbox>, Option<Cluster>),
}

/// The keys of a configuration under which `clients` says who somebody is.
fn settings(directory: &Path, servers: &Authority, clients: &Authority, rules: &Value) -> Vec<(&'static str, Value)> {
    install(directory, &issue(servers, "127.0.0.1"));
    fs::write(directory.join("clients.pem"), clients.pem()).unwrap();
    let file = |name: &str| Value::from(directory.join(name).to_str().unwrap());
    vec![
        ("/http/tls/cert", file("cert.pem")),
        ("/http/tls/key", file("key.pem")),
        ("/http/tls/cacert", file("clients.pem")),
        ("/http/accessControl", rules.clone()),
    ]
}

impl Served {
    async fn each(rules: Value) -> [Self; 2] {
        [Self::all_in_one(&rules).await, Self::cluster(&rules).await]
    }

    async fn all_in_one(rules: &Value) -> Self {
        let (servers, clients) = (authority(), authority());
        let builder = Sandbox::builder().https(trust(&servers));
        let settings = settings(&builder.directory(), &servers, &clients, rules);
        let sandbox = settings.into_iter().fold(builder, |builder, (key, value)| builder.set(key, value)).start().await;
        Self { urls: vec![sandbox.url()], servers, clients, _process: (Some(sandbox), None) }
    }

    async fn cluster(rules: &Value) -> Self {
        let (servers, clients) = (authority(), authority());
        let builder = Cluster::builder().https(trust(&servers));
        let settings = settings(&builder.directory(), &servers, &clients, rules);
        let cluster = settings.into_iter().fold(builder, |builder, (key, value)| builder.set(key, value)).start().await;
        let urls = cluster.gateways().iter().map(zot_tests::cluster::Member::url).collect();
        Self { urls, servers, clients, _process: (None, Some(cluster)) }
    }

    /// A client of each process that serves, that shows a certificate for `name`, if there is one.
    fn clients(&self, name: Option<&str>) -> Vec<Client> {
        let identity = name.map(|name| issue(&self.clients, name));
        let trust = Trust { identity, ..trust(&self.servers) };
        self.urls.iter().map(|url| Client::https(url, &trust)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_says_who_somebody_is() {
    let rules = json!({"repositories": {"**": {
        "policies": [{"users": ["alice"], "actions": ["read", "create"]}, {"groups": ["readers"], "actions": ["read"]}],
        "anonymousPolicy": [],
    }}, "groups": {"readers": {"users": ["bob"]}}});
    for served in Served::each(rules).await {
        let digest = served.clients(Some("alice"))[0].push_blob("a", b"by alice").await;
        for bob in served.clients(Some("bob")) {
            bob.get_blob("a", &digest).await.expect(200);
            bob.post("/v2/a/blobs/uploads/").await.expect_error(403, "DENIED");
        }
        for eve in served.clients(Some("eve")) {
            eve.get_blob("a", &digest).await.expect_error(403, "DENIED");
        }
        for nobody in served.clients(None) {
            nobody.get_blob("a", &digest).await.expect_error(401, "UNAUTHORIZED");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_opens_what_its_user_may_do_at_every_endpoint() {
    let rules = json!({"repositories": {
        "own/**": {"policies": [{"users": ["alice"], "actions": ["read", "create", "update", "delete"]}]},
        "narrow/**": {"policies": [{"users": ["alice"], "actions": ["read"]}]},
        "**": {},
    }});
    for served in Served::each(rules).await {
        for (name, refusal) in [(Some("alice"), 403), (Some("mallory"), 403), (None, 401)] {
            let clients = served.clients(name);
            let cases = TABLE.into_iter().flat_map(|row| ["own/a", "narrow/a", "foreign/a"].map(|repository| (repository, row)));
            let cases = cases.flat_map(|case| clients.iter().map(move |client| (client, case)));
            let check = async |(client, (repository, (method, place, needs))): (&Client, (&str, Row))| {
                let path = path(repository, place);
                let reply = client.request(method.parse().unwrap(), &path).await;
                let allowed = name == Some("alice") && (repository == "own/a" || repository == "narrow/a" && needs.contains(&"read"));
                assert_eq!(refused(&reply), (!allowed).then_some(refusal), "{name:?}: {method} {path}: {}", reply.text());
            };
            stream::iter(cases).for_each_concurrent(AT_ONCE, check).await;
        }
    }
}
