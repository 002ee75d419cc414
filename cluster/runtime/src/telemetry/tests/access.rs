//! The access line and the audit line.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::telemetry::{AccessLine, AccessLog, AuditLine, AuditLog};

fn peer() -> SocketAddr {
    "127.0.0.1:4711".parse().unwrap()
}

fn request<'a>(client_ip: &'a SocketAddr, path: &'a str) -> AccessLine<'a> {
    AccessLine {
        username: None,
        client_ip,
        method: "GET",
        path,
        status: 200,
        latency: Duration::from_micros(1234),
        body_size: 42,
        request_id: None,
    }
}

fn recorded(request: &AccessLine<'_>, headers: &[(&str, &[u8])]) -> TestLog {
    TestLog::of(LogLevel::Info, |handle| handle.access_log().record(request, headers.iter().copied()))
}

#[test]
fn an_access_line_has_zots_members_in_zots_order() {
    let peer = peer();
    let request = AccessLine { username: Some("alice"), request_id: Some("r1"), ..request(&peer, "/v2/?n=1") };
    let log = recorded(&request, &[("accept", b"a/b"), ("user-agent", b"crane")]);
    assert_keys_in_order(
        &log.text(),
        &[
            "time",
            "level",
            "message",
            "module",
            "username",
            "component",
            "clientIP",
            "method",
            "path",
            "statusCode",
            "latency",
            "latencyMs",
            "bodySize",
            "requestId",
            "headers",
            "caller",
        ],
    );
    let mut line = log.lines().remove(0);
    let line = line.as_object_mut().unwrap();
    assert!(line.remove("caller").unwrap().as_str().unwrap().contains("tests/access.rs:"));
    line.remove("time").unwrap();
    let expected = serde_json::json!({
        "level": "info", "message": "HTTP API", "module": "http", "username": "alice", "component": "session",
        "clientIP": "127.0.0.1:4711", "method": "GET", "path": "/v2/?n=1", "statusCode": 200, "latency": "1.234ms",
        "latencyMs": 1.234, "bodySize": 42, "requestId": "r1",
        "headers": {"Accept": ["a/b"], "User-Agent": ["crane"]},
    });
    assert_eq!(Value::Object(line.clone()), expected);
}

#[test]
fn without_user_id_and_headers_the_line_is_still_whole() {
    let log = recorded(&AccessLine { latency: Duration::from_secs(61), ..request(&peer(), "/") }, &[]);
    let line = &log.lines()[0];
    assert_eq!(line["headers"], serde_json::json!({}));
    assert_eq!((&line["latency"], &line["latencyMs"]), (&"61000.000ms".into(), &61000.0.into()));
    assert_eq!((line.get("username"), line.get("requestId")), (None, None));
}

#[test]
fn secrets_in_headers_and_queries_never_reach_the_log() {
    let headers: &[(&str, &[u8])] = &[
        ("authorization", b"Bearer hunter2"),
        ("cookie", b"session=hunter2"),
        ("set-cookie", b"hunter2"),
        ("set-cookie", b"hunter2"),
        ("proxy-authorization", b"hunter2"),
        ("x-registry-auth", b"hunter2"),
        ("x-registry-config", b"hunter2"),
        ("referer", b"https://zot/callback?code=hunter2&n=1"),
    ];
    let log = recorded(&request(&peer(), "/zot/auth/callback?code=hunter2&state=hunter2&n=1"), headers);
    assert!(!log.text().contains("hunter2"), "{}", log.text());
    let line = &log.lines()[0];
    assert_eq!(line["path"], "/zot/auth/callback?code=******&state=******&n=1");
    assert_eq!(line["headers"]["Authorization"], serde_json::json!(["******"]));
    assert_eq!(line["headers"]["Set-Cookie"], serde_json::json!(["******", "******"]));
    assert_eq!(line["headers"]["Referer"], serde_json::json!(["https://zot/callback?code=******&n=1"]));
}

#[test]
fn endless_headers_are_cut_and_the_line_says_so() {
    let value = vec![b'x'; 4000];
    let headers: Vec<(&str, &[u8])> = (0..100).map(|_| ("accept", value.as_slice())).collect();
    let line = recorded(&request(&peer(), "/"), &headers).lines().remove(0);
    assert_eq!(line["headersTruncated"], true);
    assert_eq!(line["headers"]["Accept"].as_array().unwrap().len(), 5);
}

#[test]
fn above_info_no_access_line_is_written() {
    let log = TestLog::of(LogLevel::Warn, |handle| {
        let access = handle.access_log();
        assert!(!access.is_enabled());
        access.record(&request(&peer(), "/unseen"), []);
        handle.set_level(LogLevel::Info);
        assert!(access.is_enabled());
        access.record(&request(&peer(), "/seen"), []);
    });
    assert_eq!(log.lines().iter().map(|line| &line["path"]).collect::<Vec<_>>(), ["/seen"]);
    AccessLog::disabled().record(&request(&peer(), "/"), []);
}

#[test]
fn an_audit_line_is_written_whatever_the_level_of_the_log() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit");
    let (peer, object) = (peer(), "/v2/a/manifests/1?token=hunter2");
    let change = AuditLine { client_ip: &peer, subject: Some("bob"), action: "PUT", object, status: 201, request_id: Some("r1") };
    let log = TestLog::of(LogLevel::Error, |_| {
        let audit = AuditLog::open(&path).unwrap();
        assert_eq!(audit.path(), path);
        audit.record(&change);
        audit.record(&AuditLine { subject: None, action: "DELETE", status: 403, request_id: None, ..change });
        // The last handle goes here, and takes the last line to the file.
    });
    assert_eq!(log.text(), "");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = parse(&text);
    let keys = ["time", "level", "message", "component", "clientIP", "subject", "action", "object", "status", "requestId"];
    assert_keys_in_order(text.lines().next().unwrap(), &keys);
    assert_eq!(messages(&lines), ["HTTP API Audit", "HTTP API Audit"]);
    assert_eq!(lines[0]["object"], "/v2/a/manifests/1?token=******");
    assert_eq!((&lines[0]["subject"], &lines[0]["status"]), (&"bob".into(), &201.into()));
    assert_eq!((&lines[1]["subject"], &lines[1]["status"]), (&"anonymous".into(), &403.into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_in_a_header_or_path_give_one_line_of_json(
        name in "[!-~]{1,16}",
        value in proptest::collection::vec(any::<u8>(), 0..200),
        path in "(?s)/.{0,64}",
        username in "(?s).{0,32}",
    ) {
        let (peer, name) = (peer(), format!("x-{name}-x"));
        let request = AccessLine { username: Some(&username), ..request(&peer, &path) };
        let log = recorded(&request, &[(&name, &value)]);
        let lines = log.lines();
        prop_assert_eq!(lines.len(), 1);
        prop_assert_eq!(lines[0]["username"].as_str(), Some(username.as_str()));
        prop_assert_eq!(lines[0]["statusCode"].as_u64(), Some(200));
        let headers = lines[0]["headers"].as_object().unwrap();
        let (logged_name, values) = headers.iter().next().unwrap();
        prop_assert!(logged_name.eq_ignore_ascii_case(&name));
        if !value.contains(&b'=') {
            prop_assert_eq!(values[0].as_str().unwrap(), String::from_utf8_lossy(&value));
        }
    }
}
