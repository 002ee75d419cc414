//! Events and spans as lines.

use std::error::Error;
use std::fmt;

use proptest::prelude::*;
use tracing::{debug, error, event, info, info_span, trace, warn};

use super::*;
use crate::telemetry::VALUE_BYTES_MAX;

#[test]
fn an_event_is_one_object_with_its_members_in_zots_order() {
    let log = TestLog::of(LogLevel::Debug, |_| info!(repository = "a/b", count = 3, "pushed a manifest"));
    let text = log.text();
    assert_keys_in_order(&text, &["time", "level", "message", "repository", "count", "caller"]);
    let line = &log.lines()[0];
    assert_eq!(line["level"], "info");
    assert_eq!(line["message"], "pushed a manifest");
    assert_eq!(line["repository"], "a/b");
    assert_eq!(line["count"], 3);
    assert!(line["caller"].as_str().unwrap().contains("tests/events.rs:"), "{text}");
    let time = line["time"].as_str().unwrap();
    humantime::parse_rfc3339(time).unwrap();
    assert_eq!(time.len(), "2026-01-02T03:04:05.123456789Z".len());
}

#[test]
fn every_kind_of_value_keeps_its_type() {
    let log = TestLog::of(LogLevel::Debug, |_| {
        let cause = fmt::Error;
        let error: &(dyn Error + 'static) = &cause;
        info!(i = -1, u = u64::MAX, b = true, f = 1.5, inf = f64::INFINITY, d = ?Some(1), s = %"x", big = i128::MAX, error);
    });
    let line = &log.lines()[0];
    assert_eq!(line["message"], "");
    assert_eq!(line["i"], -1);
    assert_eq!(line["u"], u64::MAX);
    assert_eq!(line["b"], true);
    assert_eq!(line["f"], 1.5);
    assert_eq!(line["inf"], "inf");
    assert_eq!(line["d"], "Some(1)");
    assert_eq!(line["s"], "x");
    assert_eq!(line["big"], i128::MAX.to_string());
    assert_eq!(line["error"], fmt::Error.to_string());
}

#[test]
fn the_fields_of_spans_come_before_those_of_the_event_and_the_nearest_value_counts() {
    let log = TestLog::of(LogLevel::Debug, |_| {
        let outer = info_span!("outer", request = 1, node = "a", late = tracing::field::Empty);
        let _outer = outer.enter();
        outer.record("late", "known");
        let _inner = info_span!("inner", node = "b", status = 1).entered();
        info!(status = 200, "done");
    });
    assert_keys_in_order(&log.text(), &["message", "request", "late", "node", "status", "caller"]);
    let line = &log.lines()[0];
    assert_eq!((&line["node"], &line["status"]), (&"b".into(), &200.into()));
    assert_eq!(line["late"], "known");
}

#[test]
fn spans_are_kept_when_the_level_is_above_theirs() {
    let log = TestLog::of(LogLevel::Warn, |_| info_span!("task", task = "gc").in_scope(|| warn!("slow")));
    assert_eq!(log.lines()[0]["task"], "gc");
}

#[test]
fn secrets_are_masked_and_the_members_of_every_line_cannot_be_replaced() {
    let log = TestLog::of(LogLevel::Debug, |_| {
        let _span = info_span!("login", password = "hunter2").entered();
        info!(token = "hunter2", api_key = 12345, level = "none", caller = "me", time = 0, r#type = "t", "login");
    });
    let text = log.text();
    assert!(!text.contains("hunter2") && !text.contains("12345"), "{text}");
    let line = &log.lines()[0];
    assert_eq!((&line["token"], &line["password"]), (&"******".into(), &"******".into()));
    assert_eq!((&line["level"], &line["level_"], &line["caller_"]), (&"info".into(), &"none".into(), &"me".into()));
    assert_eq!((&line["time_"], &line["type"]), (&0.into(), &"t".into()));
}

#[test]
fn what_is_below_the_level_is_not_written_and_the_level_can_change() {
    let log = TestLog::of(LogLevel::Warn, |handle| {
        let all = |round: &str| {
            trace!("trace {round}");
            debug!("debug {round}");
            info!("info {round}");
            warn!("warn {round}");
            error!("error {round}");
        };
        all("1");
        handle.set_level(LogLevel::Debug);
        all("2");
        handle.set_level(LogLevel::Error);
        all("3");
        assert_eq!(handle.level(), LogLevel::Error);
    });
    let expected = ["warn 1", "error 1", "debug 2", "info 2", "warn 2", "error 2", "error 3"];
    assert_eq!(messages(&log.lines()), expected);
}

#[test]
fn other_crates_are_heard_from_warn_on() {
    let log = TestLog::of(LogLevel::Debug, |handle| {
        event!(target: "hyper", tracing::Level::INFO, "chatter");
        event!(target: "hyper", tracing::Level::WARN, "trouble");
        handle.set_level(LogLevel::Error);
        event!(target: "hyper", tracing::Level::WARN, "more trouble");
    });
    assert_eq!(messages(&log.lines()), ["trouble"]);
}

struct Panicking;

impl fmt::Debug for Panicking {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no text for this")
    }
}

#[test]
fn a_value_that_panics_while_it_is_logged_costs_its_line_only() {
    let log = TestLog::of(LogLevel::Info, |_| {
        std::panic::catch_unwind(|| info!(value = ?Panicking, "lost")).unwrap_err();
        info!("next");
    });
    assert_eq!(messages(&log.lines()), ["next"]);
}

#[test]
fn every_control_character_and_its_neighbours_read_back_and_none_reaches_a_terminal() {
    let text: String = (0..=0x17f_u32).filter_map(char::from_u32).chain("\u{2028}😀\u{10ffff}".chars()).collect();
    let log = TestLog::of(LogLevel::Info, |_| info!(text, "{text}"));
    let line = &log.lines()[0];
    assert_eq!((&line["message"], &line["text"]), (&text.as_str().into(), &text.as_str().into()));
    assert!(!log.text().trim_end_matches('\n').chars().any(char::is_control));
}

#[test]
fn long_values_are_cut_at_a_character() {
    let long = "é".repeat(VALUE_BYTES_MAX);
    let log = TestLog::of(LogLevel::Info, |_| info!(long, short = "s", "cut"));
    let line = &log.lines()[0];
    assert_eq!(line["long"], format!("{}…", "é".repeat(VALUE_BYTES_MAX / 2)));
    assert_eq!(line["short"], "s");
}

#[test]
fn the_place_of_a_dependency_does_not_name_the_folders_of_the_machine_that_built_it() {
    let mut buffer = Vec::new();
    let line = crate::telemetry::line::Line::begin(&mut buffer, LogLevel::Info);
    let text = String::from_utf8(line.finish("/home/b/.cargo/index/h2-0.4.5/src/codec/read.rs", 7).to_vec()).unwrap();
    assert!(text.ends_with(",\"caller\":\"h2-0.4.5/src/codec/read.rs:7\"}\n"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_reads_back_as_it_was_and_stays_on_its_line(texts in proptest::collection::vec("(?s).{0,64}", 1..16)) {
        let log = TestLog::of(LogLevel::Info, |_| {
            for text in &texts {
                info!(field = %text, debug = ?text, "{text}");
            }
        });
        let lines = log.lines();
        prop_assert_eq!(lines.len(), texts.len());
        for (line, text) in lines.iter().zip(&texts) {
            prop_assert_eq!(line["message"].as_str(), Some(text.as_str()));
            prop_assert_eq!(line["field"].as_str(), Some(text.as_str()));
            prop_assert_eq!(&line["debug"], &Value::from(format!("{text:?}")));
        }
        let raw = log.text();
        prop_assert!(!raw.chars().any(|c| c.is_control() && c != '\n'), "{:?}", raw);
    }
}
