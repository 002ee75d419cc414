//! Checks that patterns can be compiled, so that a bad one is found before it is needed.

use globset::GlobBuilder;
use regex::Regex;

use crate::key_path::KeyPath;
use crate::report::Report;

/// Reports a pattern of repository names with a syntax error.
pub(crate) fn check_glob(glob: &str, path: &KeyPath, report: &Report) {
    if let Err(error) = GlobBuilder::new(glob).literal_separator(true).build() {
        report.problem(path, format!("syntax error in pattern {glob:?}: {}", error.kind()));
    }
}

/// Reports every pattern of repository names with a syntax error.
pub(crate) fn check_globs(globs: &[String], path: &KeyPath, report: &Report) {
    for (index, glob) in globs.iter().enumerate() {
        check_glob(glob, &path.index(index), report);
    }
}

/// Reports a regular expression that cannot be compiled.
pub(crate) fn check_regex(regex: &str, path: &KeyPath, report: &Report) {
    if let Err(error) = Regex::new(regex) {
        report.problem(path, format!("invalid regular expression {regex:?}: {}", reason(&error)));
    }
}

/// Reports every regular expression that cannot be compiled.
pub(crate) fn check_regexes(regexes: &[String], path: &KeyPath, report: &Report) {
    for (index, regex) in regexes.iter().enumerate() {
        check_regex(regex, &path.index(index), report);
    }
}

/// The reason without the drawing of the place, which takes several lines.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
