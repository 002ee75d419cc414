//! Denials, and what was done under a name, are in the audit log: who, what, where, and how it ended.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};
use tempfile::TempDir;
use zot_tests::{
    Reply,
    shapes::{Settings, Shape},
    wait,
};

use super::matrix::PASSWORDS;

const UPLOADS: &str = "/v2/own/a/blobs/uploads/";
const TAGS: &str = "/v2/own/a/tags/list";

/// A line that there should be: the request's own number, whose it is, and what was asked.
type Expected = (String, &'static str, &'static str, &'static str, u16);

fn expected(reply: &Reply, subject: &'static str, method: &'static str, path: &'static str) -> Expected {
    (reply.header("x-request-id").to_owned(), subject, method, path, reply.status.as_u16())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_denial_says_who_was_denied_what() {
    let rules = json!({"repositories": {"own/**": {"policies": [{"users": ["alice"], "actions": ["read", "create"]}]}}});
    for shape in [Shape::AllInOne, Shape::Cluster] {
        let folder = TempDir::new().unwrap();
        // All processes of the cluster write into one file, as its lines are appended whole.
        let file = folder.path().join("audit.log");
        let settings = Settings::default()
            .set("/http/auth/htpasswd/path", PASSWORDS.1.to_str().unwrap())
            .set("/http/auth/apikey", true)
            .set("/http/accessControl", rules.clone())
            .set("/log/audit", file.to_str().unwrap());
        let registry = shape.start(settings).await;
        let client = registry.client();
        let wish = json!({"scopes": ["own/**:read"]}).to_string();
        let made = client.post("/zot/auth/apikey").basic("alice", "secret").body(wish).await.expect(201);
        let key = made.json()["apiKey"].as_str().unwrap().to_owned();
        let mut lines = vec![expected(&made, "alice", "POST", "/zot/auth/apikey")];
        // Twice, so that in a cluster each gateway has its turn.
        for _ in 0..2 {
            let nobody = client.get(TAGS).await.expect(401);
            let wrong = client.post(UPLOADS).basic("alice", "wrong").await.expect(401);
            let bob = client.get(TAGS).basic("bob", "secret").await.expect(403);
            let bob_again = client.delete("/v2/own/a/manifests/v1").basic("bob", "secret").await.expect(403);
            let narrow = client.post(UPLOADS).basic("alice", &key).await.expect(403);
            let done = client.post(UPLOADS).basic("alice", "secret").await.expect(202);
            client.get(TAGS).basic("alice", "secret").await.expect(404);
            lines.extend([
                expected(&nobody, "anonymous", "GET", TAGS),
                expected(&wrong, "anonymous", "POST", UPLOADS),
                expected(&bob, "bob", "GET", TAGS),
                expected(&bob_again, "bob", "DELETE", "/v2/own/a/manifests/v1"),
                expected(&narrow, "alice", "POST", UPLOADS),
                expected(&done, "alice", "POST", UPLOADS),
            ]);
        }
        let written =
            || fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
        wait::until("all of it is written down", async || written().len() >= lines.len()).await;
        let told: BTreeSet<_> = written().iter().map(seen).collect();
        let expected =
            lines.into_iter().map(|(id, who, method, path, status)| (id, who.to_owned(), method.to_owned(), path.to_owned(), status));
        assert_eq!(told, expected.collect(), "{shape:?}: and nothing else is");
    }
}

fn seen(line: &Value) -> (String, String, String, String, u16) {
    let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {line}")).to_owned();
    let status = line["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    (text("requestId"), text("subject"), text("action"), text("object"), status.unwrap_or_else(|| panic!("no status in {line}")))
}
