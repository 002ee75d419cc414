//! What is written down: one line a request, every change and every denial in the audit file, and no secret anywhere.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use zot_tests::{
    Image, Sandbox, digest_of,
    sandbox::Signal,
    shapes::{Settings, Shape},
    wait,
};

/// Lines are written by a thread of their own: waits until `count` access lines of `path` are there.
async fn access_lines(sandbox: &Sandbox, path: &str, count: usize) -> Vec<Value> {
    let lines = || sandbox.logs().with_message("HTTP API").into_iter().filter(|line| line["path"] == path).collect::<Vec<_>>();
    wait::until("the requests are logged", async || lines().len() >= count).await;
    lines()
}

#[tokio::test]
async fn every_request_has_one_access_line() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    client.get("/v2/_catalog?n=5").header("user-agent", "someone/1.0").await.expect(200);
    client.get("/nowhere").await.expect(404);
    let [line] = &access_lines(&sandbox, "/v2/_catalog?n=5", 1).await[..] else { panic!("more than one line") };
    assert_eq!((&line["method"], &line["statusCode"], &line["level"]), (&json!("GET"), &json!(200), &json!("info")));
    assert_eq!((&line["module"], &line["component"]), (&json!("http"), &json!("session")));
    assert_eq!(line["bodySize"], json!(r#"{"repositories":[]}"#.len()));
    assert_eq!(line["headers"]["User-Agent"].as_array().or(line["headers"]["user-agent"].as_array()).unwrap()[0], "someone/1.0");
    assert!(line["clientIP"].as_str().unwrap().starts_with("127.0.0.1:"));
    let latency = line["latency"].as_str().unwrap();
    assert!(latency.ends_with("ms"), "{latency}");
    assert!(line["time"].as_str().is_some_and(|time| time.len() > 20));
    assert_eq!(access_lines(&sandbox, "/nowhere", 1).await[0]["statusCode"], 404);
}

#[tokio::test]
async fn at_a_higher_level_requests_are_not_logged_but_audited_all_the_same() {
    let builder = Sandbox::builder();
    let audit = builder.directory().join("audit.log");
    let mut sandbox = builder.set("/log/level", "warn").set("/log/audit", audit.to_str().unwrap()).start().await;
    sandbox.client().push_image("a", "latest", &Image::small(1)).await;
    assert!(sandbox.terminate().await.success());
    assert!(sandbox.logs().with_message("HTTP API").is_empty());
    assert!(!fs::read_to_string(audit).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_file_has_every_change_and_no_reads() {
    for shape in [Shape::AllInOne, Shape::Cluster] {
        let folder = TempDir::new().unwrap();
        // All gateways of a cluster write into one file, as its lines are appended whole.
        let audit = folder.path().join("audit.log");
        let registry = shape.start(Settings::default().set("/log/audit", audit.to_str().unwrap())).await;
        let client = registry.client();
        let digest = client.push_image("a", "latest", &Image::small(1)).await;
        client.tags("a").await;
        client.get_manifest("a", "latest").await.expect(200);
        client.put_manifest("a", "wrong", &Image::small(2).manifest).await.expect(400);
        let upload = client.start_upload("a").await;
        client.delete(&upload).await.expect(204);
        let config = format!("/v2/a/blobs/{}", digest_of(&Image::small(1).config));
        client.delete(&config).await.expect(405);
        client.delete(&format!("/v2/a/manifests/{digest}")).await.expect(202);
        let lines = || -> Vec<Value> {
            let text = fs::read_to_string(&audit).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        for (action, object, status) in [
            ("PUT", "/v2/a/manifests/latest", 201),
            ("POST", "/v2/a/blobs/uploads/", 202),
            ("DELETE", &upload, 204),
            ("DELETE", &config, 405),
            ("DELETE", &format!("/v2/a/manifests/{digest}"), 202),
        ] {
            let is_meant = |line: &Value| line["action"] == action && line["object"] == object && line["status"] == status;
            wait::until(&format!("{action} {object} {status} is written down"), async || lines().iter().any(is_meant)).await;
        }
        for line in lines() {
            assert_eq!((&line["message"], &line["subject"]), (&json!("HTTP API Audit"), &json!("anonymous")), "{shape:?}");
            assert_ne!(line["action"], "GET", "{shape:?}");
        }
    }
}

#[tokio::test]
async fn a_secret_of_a_client_is_in_no_log() {
    const CANARY: &str = "c4n4ry-s3cr3t";
    let builder = Sandbox::builder();
    let audit = builder.directory().join("audit.log");
    let mut sandbox = builder.set("/log/level", "debug").set("/log/audit", audit.to_str().unwrap()).start().await;
    let client = sandbox.client();
    for header in ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-registry-auth", "x-amz-security-token"] {
        client.get("/v2/").header(header, &format!("Bearer {CANARY}")).await;
        client.post("/v2/a/blobs/uploads/").header(header, CANARY).await.expect(202);
    }
    for parameter in ["token", "access_token", "password", "code", "state", "api_key", "X-Amz-Signature"] {
        client.get(&format!("/v2/?{parameter}={CANARY}")).await;
        client.post(&format!("/v2/a/blobs/uploads/?{parameter}={CANARY}")).await;
    }
    assert!(sandbox.terminate().await.success());
    for text in [sandbox.logs().text(), &fs::read_to_string(audit).unwrap()] {
        assert!(!text.is_empty());
        assert!(!text.contains(CANARY), "{}", text.lines().find(|line| line.contains(CANARY)).unwrap_or_default());
    }
}

#[tokio::test]
async fn what_a_client_sends_cannot_forge_a_line() {
    let mut sandbox = Sandbox::start().await;
    let forged = "x\u{2028}\\n{\"level\":\"error\",\"message\":\"forged\"}";
    sandbox.client().get("/v2/").header("user-agent", forged).await.expect(200);
    assert!(sandbox.terminate().await.success());
    let logs = sandbox.logs();
    assert_eq!(access_lines(&sandbox, "/v2/", 1).await.len(), 1);
    assert!(logs.text().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{logs}");
    assert!(logs.with_message("forged").is_empty());
}

#[tokio::test]
async fn logs_go_to_a_file_that_can_be_rotated() {
    let builder = Sandbox::builder();
    let (output, moved) = (builder.directory().join("out.log"), builder.directory().join("out.log.1"));
    let sandbox = builder.set("/log/output", output.to_str().unwrap()).start().await;
    let contains = |file: &std::path::Path, text: &str| fs::read_to_string(file).is_ok_and(|log| log.contains(text));
    sandbox.client().get("/v2/?before").await.expect(200);
    wait::until("the request is logged", async || contains(&output, "?before")).await;
    fs::rename(&output, &moved).unwrap();
    sandbox.signal(Signal::HUP);
    wait::until("the file is open anew", async || output.exists()).await;
    sandbox.client().get("/v2/?after").await.expect(200);
    wait::until("the request is logged", async || contains(&output, "?after")).await;
    assert!(!contains(&moved, "?after"));
}
