//! The files that logs are written to.

use std::os::unix::fs::PermissionsExt;

use tracing::info;

use super::*;
use crate::telemetry::{AccessLine, AuditLine, AuditLog, LogError, chain};

#[test]
fn a_log_file_is_private_and_appended_to() {
    let log = TestLog::of(LogLevel::Info, |_| info!("first"));
    assert_eq!(std::fs::metadata(log.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let options = LogOptions { level: LogLevel::Info, output: Some(log.path()) };
    let (subscriber, guard) = subscriber(&options).unwrap();
    tracing::subscriber::with_default(subscriber, || info!("second"));
    drop(guard);
    assert_eq!(messages(&log.lines()), ["first", "second"]);
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_the_reason() {
    let path = PathBuf::from("/nonexistent/zot.log");
    let error = subscriber(&LogOptions { level: LogLevel::Info, output: Some(path.clone()) }).err().unwrap();
    assert!(matches!(error, LogError::Open { .. }));
    let text = chain(&error).to_string();
    assert!(text.starts_with("open log file `/nonexistent/zot.log`: No such file"), "{text}");
    assert!(AuditLog::open(path).is_err());
}

#[test]
fn after_rotation_lines_go_to_a_new_file_of_the_old_name() {
    let folder = TempDir::new().unwrap();
    let log = TestLog::of(LogLevel::Info, |handle| {
        info!("before");
        assert!(handle.flush(PATIENCE));
        std::fs::rename(handle.output().unwrap(), folder.path().join("rotated")).unwrap();
        handle.reopen().unwrap();
        info!("after");
    });
    assert_eq!(messages(&log.lines()), ["after"]);
    let rotated = std::fs::read_to_string(folder.path().join("rotated")).unwrap();
    assert_eq!(messages(&parse(&rotated)), ["before"]);
}

#[test]
fn the_audit_log_can_be_rotated_too() {
    let folder = TempDir::new().unwrap();
    let (path, rotated) = (folder.path().join("audit"), folder.path().join("rotated"));
    let audit = AuditLog::open(&path).unwrap();
    let line = AuditLine { client_ip: &"[::1]:1", subject: None, action: "PUT", object: "/1", status: 201, request_id: None };
    audit.record(&line);
    assert!(audit.flush(PATIENCE));
    std::fs::rename(&path, &rotated).unwrap();
    audit.reopen().unwrap();
    audit.record(&AuditLine { object: "/2", ..line });
    drop(audit);
    let object = |path| parse(&std::fs::read_to_string(path).unwrap())[0]["object"].clone();
    assert_eq!((object(&rotated), object(&path)), ("/1".into(), "/2".into()));
}

#[test]
fn what_is_logged_after_the_guard_went_is_dropped_and_nothing_waits() {
    let TestLog { folder, guard } = TestLog::of(LogLevel::Info, |_| {});
    let handle = guard.handle();
    drop(guard);
    let line = AccessLine {
        username: None,
        client_ip: &"late",
        method: "GET",
        path: "/",
        status: 200,
        latency: Duration::ZERO,
        body_size: 0,
        request_id: None,
    };
    handle.access_log().record(&line, []);
    let text = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!text.contains("late"), "{text}");
}
