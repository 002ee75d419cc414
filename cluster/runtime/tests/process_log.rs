//! The log a whole process has: installed once, with its panics, to standard output.

use std::fmt;
use std::process::Command;

use zot_runtime::telemetry::{LogError, LogLevel, LogOptions, init, log_panics};

/// Set for the process that is the subject of the test, which is this program again.
const SUBJECT: &str = "ZOT_RUNTIME_TEST_SUBJECT";
const TEST: &str = "a_process_logs_its_events_and_panics_to_standard_output";

/// Logs while it is logged.
struct Chatty;

impl fmt::Debug for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::info!(target: "zot", "said while another line is written");
        f.write_str("chatty")
    }
}

#[test]
fn a_process_logs_its_events_and_panics_to_standard_output() {
    if std::env::var_os(SUBJECT).is_some() {
        let options = LogOptions { level: LogLevel::Info, output: None };
        let _guard = init(&options).unwrap();
        assert!(matches!(init(&options), Err(LogError::Installed)));
        log_panics();
        tracing::info!(target: "zot", "started");
        tracing::info!(target: "zot", value = ?Chatty, "other line");
        std::thread::spawn(|| panic!("out of luck")).join().unwrap_err();
        return;
    }
    let lines = lines_of_the_subject();
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap_or_default()).collect();
    assert_eq!(messages, ["started", "said while another line is written", "other line", "panicked"]);
    assert_eq!(lines[0]["level"], "info");
    assert_eq!(lines[2]["value"], "chatty");
    assert_eq!((&lines[3]["level"], &lines[3]["error"]), (&"error".into(), &"out of luck".into()));
    assert!(lines[3]["location"].as_str().unwrap().contains("tests/process_log.rs:"), "{lines:?}");
    assert!(lines[3]["traceback"].is_string(), "{lines:?}");
}

/// Runs this test in a process of its own; what the test harness prints around its lines is no JSON.
fn lines_of_the_subject() -> Vec<serde_json::Value> {
    let program = std::env::current_exe().unwrap_or_default();
    let run = Command::new(program).args(["--exact", TEST, "--nocapture"]).env(SUBJECT, "1").env("RUST_BACKTRACE", "1").output();
    let output = run.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
