//! What a configuration file may say, what is made of it, and what is answered to everything else.

#![cfg(test)]

mod environment;
mod examples;
mod hostile;
mod passwords;
mod reading;
mod rules;
mod sessions;
mod stores;
mod unbuilt;

use std::path::Path;

use zot_config::{Config, ConfigError, Loaded};

/// Loads JSON that must be good.
fn good(text: &str) -> Loaded {
    Config::parse(Path::new("config.json"), text).unwrap_or_else(|error| panic!("{error}\nin {text}"))
}

/// The problems of JSON, one a line, without those about features that are not built yet.
fn problems(text: &str) -> Vec<String> {
    all_problems(text).into_iter().filter(|problem| !problem.contains(" is not built yet ")).collect()
}

fn all_problems(text: &str) -> Vec<String> {
    match Config::parse(Path::new("config.json"), text) {
        Ok(_) => Vec::new(),
        Err(error @ ConfigError::Invalid { .. }) => error.problems().iter().map(ToString::to_string).collect(),
        Err(other) => panic!("{other}\nin {text}"),
    }
}

/// A configuration with `http` holding `section`.
fn http(section: &str) -> String {
    format!(r#"{{"storage": {{"rootDirectory": "/tmp/zot", "gc": false}}, "http": {section}}}"#)
}

/// A configuration with `storage` holding `section` beside a root directory.
fn storage(section: &str) -> String {
    format!(r#"{{"storage": {{"rootDirectory": "/tmp/zot", "gc": false, {section}}}}}"#)
}

/// A configuration with `extensions` holding `section`.
fn extensions(section: &str) -> String {
    format!(r#"{{"storage": {{"rootDirectory": "/tmp/zot", "gc": false}}, "extensions": {section}}}"#)
}
