//! What is written down of a request.

use std::path::{Path, PathBuf};

use zot_auth::Access;
use zot_config::http::RateLimit;
use zot_runtime::telemetry::{AuditLog, LogGuard, LogLevel, LogOptions, subscriber};

use crate::{
    http::Logs,
    sandbox::{PATIENCE, Sandbox, Setup, wire::Wire},
};

/// A sandbox that writes its logs into a directory.
pub(super) struct Logged {
    pub(super) sandbox: Sandbox,
    audit: AuditLog,
    guard: LogGuard,
    directory: tempfile::TempDir,
}

impl Logged {
    async fn start(level: LogLevel) -> Self {
        Self::of(level, Setup::default()).await
    }

    /// A sandbox for those whom `access` lets in.
    pub(super) async fn with(access: Access) -> Self {
        Self::of(LogLevel::Info, Setup { access, ..Setup::default() }).await
    }

    async fn of(level: LogLevel, setup: Setup) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let output = Some(directory.path().join("log"));
        let (_, guard) = subscriber(&LogOptions { level, output }).unwrap();
        let audit = AuditLog::open(directory.path().join("audit")).unwrap();
        let logs = Logs { access: guard.handle().access_log(), audit: Some(audit.clone()) };
        let sandbox = Sandbox::with(Setup { logs, ..setup }).await;
        Self { sandbox, audit, guard, directory }
    }

    /// Stops the server, so that every request is over, and reads what was written.
    pub(super) async fn lines(self) -> (Vec<serde_json::Value>, Vec<serde_json::Value>) {
        self.sandbox.stopped().await;
        assert!(self.audit.flush(PATIENCE) && self.guard.handle().flush(PATIENCE));
        let file = |name: &str| -> PathBuf { self.directory.path().join(name) };
        (lines(&file("log")), lines(&file("audit")))
    }
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn every_request_has_one_line() {
    let logged = Logged::start(LogLevel::Info).await;
    let reply = logged.sandbox.get_with("/v2/_catalog?n=5", "authorization", "Basic c2VjcmV0").await;
    for path in ["/v2/absent/tags/list", "/nowhere", "/v2/a%2fb/tags/list"] {
        logged.sandbox.get(path).await;
    }
    logged.sandbox.call("POST", "/v2/").await;
    let (access, audit) = logged.lines().await;
    let seen: Vec<_> = access.iter().map(|line| (line["path"].as_str().unwrap(), line["statusCode"].as_u64().unwrap())).collect();
    assert_eq!(
        seen,
        [("/v2/_catalog?n=5", 200), ("/v2/absent/tags/list", 404), ("/nowhere", 404), ("/v2/a%2fb/tags/list", 400), ("/v2/", 405)]
    );
    let first = &access[0];
    assert_eq!(first["message"], "HTTP API");
    assert_eq!(first["method"], "GET");
    assert_eq!(first["bodySize"], reply.body.len());
    assert_eq!(first["requestId"], reply.header("x-request-id"));
    assert!(first["latencyMs"].is_number());
    assert!(!first.to_string().contains("c2VjcmV0"));
    assert_eq!(audit.len(), 1, "{audit:?}");
}

#[tokio::test]
async fn every_change_is_audited_and_no_read() {
    let logged = Logged::start(LogLevel::Error).await;
    logged.sandbox.push_image("a", "v1").await;
    logged.sandbox.get("/v2/a/manifests/v1").await;
    let upload = logged.sandbox.open_upload("a").await;
    logged.sandbox.call("DELETE", &upload).await;
    logged.sandbox.call("DELETE", &upload).await;
    let (access, audit) = logged.lines().await;
    assert!(access.is_empty());
    let seen: Vec<_> = audit.iter().map(|line| (line["action"].as_str().unwrap(), line["status"].as_u64().unwrap())).collect();
    assert_eq!(seen, [("POST", 201), ("PUT", 201), ("POST", 202), ("DELETE", 204)]);
    assert_eq!(audit[1]["object"], "/v2/a/manifests/v1");
    assert_eq!(audit[1]["subject"], "anonymous");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_a_line_too() {
    let logged = Logged::start(LogLevel::Info).await;
    let upload = logged.sandbox.open_upload("a").await;
    let mut wire = Wire::connect(logged.sandbox.address).await;
    wire.send(format!("PATCH {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")).await;
    while logged.sandbox.get(&upload).await.header("range") != "0-4" {
        tokio::task::yield_now().await;
    }
    drop(wire);
    let (access, _) = logged.lines().await;
    let patch = access.iter().find(|line| line["method"] == "PATCH").unwrap();
    assert_eq!(patch["statusCode"], 400);
}

#[tokio::test]
async fn requests_that_cannot_be_read_leave_a_line_too() {
    let logged = Logged::start(LogLevel::Info).await;
    let long = format!("GET / HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(64 * 1024));
    let mut peers = Vec::new();
    for request in ["no request\r\n\r\n", &long] {
        let mut wire = Wire::connect(logged.sandbox.address).await;
        peers.push(wire.address().to_string());
        wire.send(request).await;
        wire.read_to_end().await;
    }
    let (access, audit) = logged.lines().await;
    let seen: Vec<_> = access.iter().map(|line| (line["clientIP"].as_str().unwrap(), line["statusCode"].as_u64().unwrap())).collect();
    assert_eq!(seen, [(peers[0].as_str(), 400), (peers[1].as_str(), 431)]);
    assert_eq!(access[0]["path"], "-");
    assert!(audit.is_empty());
}

#[tokio::test]
async fn clients_that_ask_too_often_are_audited() {
    let rate = Some(RateLimit { rate: Some(1), ..RateLimit::default() });
    let logged = Logged::of(LogLevel::Error, Setup { rate, ..Setup::default() }).await;
    let mut refused = 0;
    while refused == 0 {
        refused += usize::from(logged.sandbox.get("/v2/").await.status == 429);
    }
    let (_, audit) = logged.lines().await;
    let seen: Vec<_> = audit.iter().map(|line| (line["action"].as_str().unwrap(), line["status"].as_u64().unwrap())).collect();
    assert_eq!(seen, [("GET", 429)]);
}
