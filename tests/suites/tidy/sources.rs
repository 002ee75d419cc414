//! How source files look.

use std::fs;

use super::{assert_nothing, root, sources, texts};

/// Longer files are split by noun.
const LINES_MAX: usize = 500;

/// Names that say nothing about what is inside.
const NAMELESS: [&str; 8] = ["common", "helpers", "manager", "misc", "shared", "types", "util", "utils"];

#[test]
fn every_source_says_first_what_it_is_for() {
    let wrong: Vec<String> = sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert_nothing("sources that do not begin with `//! `", &wrong);
}

#[test]
fn no_source_is_too_long() {
    let long = |(path, text): (String, String)| (text.lines().count() > LINES_MAX).then(|| format!("{path}: {}", text.lines().count()));
    let wrong: Vec<String> = sources().into_iter().filter_map(long).collect();
    assert_nothing("sources of more than 500 lines", &wrong);
}

#[test]
fn nothing_is_left_for_later_or_switched_off() {
    // Written in halves, so that this file keeps the rule too.
    let marks = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X"],
        ["dbg", "!("],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["#[al", "low("],
        ["#![al", "low("],
        ["#[ig", "nore"],
        ["#[should_", "panic"],
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            wrong.extend(
                marks.iter().filter(|mark| line.contains(&mark.concat())).map(|mark| format!("{path}:{}: {}", number + 1, mark.concat())),
            );
        }
    }
    assert_nothing("marks of unfinished work", &wrong);
}

#[test]
fn modules_have_names_that_say_something() {
    let nameless = |path: &String| path.trim_end_matches(".rs").split('/').any(|part| NAMELESS.contains(&part));
    let wrong: Vec<String> = sources().into_iter().map(|(path, _)| path).filter(nameless).collect();
    assert_nothing("names that say nothing", &wrong);
}

#[test]
fn every_crate_takes_its_lints_and_versions_from_the_workspace() {
    let mut wrong = Vec::new();
    for (path, text) in texts().into_iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
        if !text.contains("[lints]\nworkspace = true") {
            wrong.push(format!("{path}: no `[lints] workspace = true`"));
        }
        // In a member, what names a version of a dependency names it outside the one table.
        let own = text.lines().filter(|line| path != "Cargo.toml" && line.contains('=') && line.contains('"'));
        let versions = own.filter(|line| line.split('=').nth(1).is_some_and(|value| value.trim().starts_with("\"") && is_version(value)));
        wrong.extend(versions.map(|line| format!("{path}: {line}")));
    }
    assert_nothing("manifests", &wrong);
}

fn is_version(value: &str) -> bool {
    let value = value.trim().trim_matches('"');
    value.starts_with(|first: char| first.is_ascii_digit()) && value.contains('.')
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    let places = [root().to_str().unwrap().to_owned(), std::env::var("CARGO_HOME").unwrap_or_default()];
    let mut wrong = Vec::new();
    for (path, text) in texts() {
        wrong.extend(places.iter().filter(|place| place.len() > 5 && text.contains(*place)).map(|place| format!("{path}: {place}")));
    }
    assert_nothing("paths of this machine", &wrong);
}

#[test]
fn every_suite_is_registered() {
    let mut wrong = Vec::new();
    for suite in ["suites", "suites/faults", "suites/clients"] {
        let directory = root().join("tests").join(suite);
        let main = fs::read_to_string(directory.join("main.rs")).unwrap();
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            // A directory with a main.rs is a suite of its own.
            let is_module = name.ends_with(".rs") && name != "main.rs" || path.join("mod.rs").is_file();
            if is_module && !main.contains(&format!("mod {};", name.trim_end_matches(".rs"))) {
                wrong.push(format!("{suite}/{name}"));
            }
        }
    }
    assert_nothing("suites that would never run", &wrong);
}
