//! The command line: what it prints and how it ends (zot's, and clearer where zot's says nothing).

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use zot_tests::sandbox::{Output, run};

/// Writes a configuration file named `name` with this text.
fn file(name: &str, text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    (directory, path)
}

fn verify(config: &Value) -> Output {
    let (_directory, path) = file("config.json", &config.to_string());
    run(&["verify", path.to_str().unwrap()])
}

/// A configuration that is right, in a directory of its own.
fn right() -> (TempDir, Value) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    (directory, json!({"storage": {"rootDirectory": root, "gc": false}, "http": {"address": "127.0.0.1", "port": "0"}}))
}

fn message(output: &Output, message: &str) -> Value {
    let mut lines = output.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["message"] == message).unwrap_or_else(|| panic!("no line {message:?} in {output:?}"))
}

#[test]
fn help_is_shown_when_asked_for_or_when_nothing_is() {
    for arguments in [&[][..], &["help"], &["--help"], &["-h"]] {
        let output = run(arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
        for command in ["serve", "verify", "rebuild"] {
            assert!(output.stdout.contains(command), "{arguments:?}: {output:?}");
        }
    }
    assert!(run(&["help", "serve"]).stdout.contains("configuration file"));
}

#[test]
fn the_version_is_one_log_line() {
    for flag in ["-v", "--version"] {
        let output = run(&[flag]);
        assert_eq!(output.code, Some(0));
        assert_eq!(output.stdout.lines().count(), 1, "{output:?}");
        let line = message(&output, "version");
        assert_eq!(line["distribution-spec"], "1.1.1");
        assert!(line["binary-type"].is_string() && line["version"].is_string());
    }
}

#[test]
fn a_wrong_call_fails_and_shows_the_right_one() {
    for arguments in [&["serve"][..], &["verify"], &["rebuild"], &["serve", "a", "b"], &["sreve", "x"], &["--nonsense"]] {
        let output = run(arguments);
        assert_ne!(output.code, Some(0), "{arguments:?}");
        assert!(output.stderr.contains("Usage") || output.stderr.contains("usage"), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_valid_file_is_said_to_be_valid_and_nothing_is_touched() {
    let (directory, mut config) = right();
    config["log"] = json!({"output": directory.path().join("zot.log")});
    let output = verify(&config);
    assert_eq!(output.code, Some(0), "{output:?}");
    message(&output, "config file is valid");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn everything_wrong_is_told_at_once_and_by_its_path() {
    let (_directory, mut config) = right();
    config["http"]["port"] = "65536".into();
    config["http"]["url"] = "x".into();
    config["log"] = json!({"levle": "debug"});
    config["storage"]["rootDirectroy"] = "/x".into();
    let output = verify(&config);
    assert_eq!(output.code, Some(1));
    message(&output, "invalid config file");
    for expected in ["http.port", "http.url", "log.levle", "`level`", "storage.rootDirectroy", "`rootDirectory`"] {
        assert!(output.stderr.contains(expected), "{expected} in {}", output.stderr);
    }
    assert!(!output.stderr.contains("Usage"), "{}", output.stderr);
}

#[test]
fn what_is_not_built_yet_is_refused_by_name() {
    let (_directory, mut config) = right();
    config["extensions"] = json!({"search": {}, "lint": {}});
    let output = verify(&config);
    assert_eq!(output.code, Some(1));
    for key in ["extensions.lint", "extensions.search"] {
        let said = output.stderr.lines().any(|line| line.contains(key) && line.contains("not built yet"));
        assert!(said, "{key} in {}", output.stderr);
    }
}

#[test]
fn zots_default_of_collecting_garbage_is_accepted_with_a_warning() {
    let (_directory, mut config) = right();
    config["storage"]["gc"] = true.into();
    let output = verify(&config);
    assert_eq!(output.code, Some(0), "{output:?}");
    let warnings = output.stdout.lines().filter(|line| line.contains(r#""level":"warn""#)).count();
    assert_eq!(warnings, 1, "{output:?}");
}

#[test]
fn files_that_are_not_there_or_say_nothing_fail() {
    for (name, text) in [("empty.json", ""), ("braces.json", "{}"), ("leafless.json", r#"{"log":{}}"#), ("broken.json", r#"{"a":"#)] {
        let (_directory, path) = file(name, text);
        for command in ["verify", "serve"] {
            let output = run(&[command, path.to_str().unwrap()]);
            assert_eq!(output.code, Some(1), "{command} {name}: {output:?}");
            assert!(output.stderr.contains(name), "{command} {name}: {output:?}");
        }
    }
    let absent = run(&["verify", "/nonexistent/config.json"]);
    assert_eq!(absent.code, Some(1));
    assert!(absent.stderr.contains("/nonexistent/config.json"), "{absent:?}");
}

#[test]
fn verify_also_looks_at_files_and_addresses() {
    let (directory, mut config) = right();
    let missing = directory.path().join("missing.pem");
    config["http"]["tls"] = json!({"cert": missing, "key": missing});
    config["http"]["address"] = "no-such-host.invalid".into();
    let output = verify(&config);
    assert_eq!(output.code, Some(1));
    for expected in ["http.tls.cert", "http.tls.key", "missing.pem", "http.address"] {
        assert!(output.stderr.contains(expected), "{expected} in {}", output.stderr);
    }
}

#[test]
fn verify_finds_what_serve_would_stumble_over() {
    let (directory, mut config) = right();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let made = |name| rcgen::generate_simple_self_signed(vec![String::from(name)]).unwrap();
    let (one, other) = (made("one"), made("other"));
    let (cert, key) = (file("cert.pem", &one.cert.pem()), file("key.pem", &one.signing_key.serialize_pem()));
    let (garbage, others_key) = (file("garbage.pem", "garbage"), file("other.pem", &other.signing_key.serialize_pem()));
    config["http"]["tls"] = json!({"cert": cert, "key": key});
    assert_eq!(verify(&config).code, Some(0));
    let wrong = [
        ("http.tls", "garbage.pem", json!({"tls": {"cert": garbage, "key": key}})),
        ("http.tls", "other.pem", json!({"tls": {"cert": cert, "key": others_key}})),
        ("http.tls", "garbage.pem", json!({"tls": {"cert": cert, "key": key, "cacert": garbage}})),
        ("http.allowOrigin", "a\\nb", json!({"allowOrigin": "a\nb"})),
    ];
    for (place, named, change) in wrong {
        let mut config = config.clone();
        for (field, value) in change.as_object().unwrap() {
            config["http"][field] = value.clone();
        }
        let (_directory, path) = self::file("config.json", &config.to_string());
        for command in ["verify", "serve"] {
            let output = run(&[command, path.to_str().unwrap()]);
            assert_eq!(output.code, Some(1), "{command} {change}: {output:?}");
            assert!(output.stderr.contains(named), "{command} {change}: {output:?}");
            assert!(command == "serve" || output.stderr.contains(place), "{change}: {output:?}");
        }
    }
}

#[test]
fn stores_may_not_lie_within_each_other() {
    let (directory, mut config) = right();
    config["storage"]["subPaths"] = json!({"/a": {"rootDirectory": directory.path().join("root/inside")}});
    let output = verify(&config);
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("root directory"), "{output:?}");
}

#[test]
fn the_same_settings_can_be_written_in_each_format() {
    let (directory, _) = right();
    let root = directory.path().join("root").display().to_string();
    for (name, text) in [
        ("config.yaml", format!("storage:\n  ROOTdirectory: {root}\n  gc: 'false'\nhttp:\n  port: 0\n")),
        ("config.toml", format!("[storage]\nrootDirectory = \"{root}\"\ngc = false\n[http]\nport = \"0\"\n")),
        ("config", format!(r#"{{"storage":{{"rootDirectory":"{root}","gc":false}},"http":{{"port":"0"}}}}"#)),
    ] {
        let (_directory, path) = file(name, &text);
        let output = run(&["verify", path.to_str().unwrap()]);
        assert_eq!(output.code, Some(0), "{name}: {output:?}");
    }
}

#[test]
fn the_examples_are_valid_but_for_files_that_only_their_users_have() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with("config-") {
            continue;
        }
        let output = run(&["verify", path.to_str().unwrap()]);
        let missing = |line: &str| line.starts_with("  ") && line.contains("no such file or directory");
        let others: Vec<&str> = output.stderr.lines().skip(1).filter(|line| !missing(line)).collect();
        assert!(others.is_empty() && output.code.is_some(), "{}: {output:?}", path.display());
        assert_eq!(output.code == Some(0), output.stderr.is_empty(), "{}: {output:?}", path.display());
        let told: Vec<&str> = output.stderr.lines().skip(1).filter_map(|line| line.split_once(": ")).map(|(key, _)| key).collect();
        assert_eq!(BTreeSet::from_iter(&told).len(), told.len(), "{}: nothing is told twice: {output:?}", path.display());
    }
}
