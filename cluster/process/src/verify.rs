//! `verify`: is this configuration right, here and now?

use std::{path::Path, process::ExitCode};

use zot_config::{Config, ConfigError, Part, Problem};

use crate::output;

/// Checks a configuration file and everything that it names, as far as it concerns `part`. `more` finds what only `part` itself can judge.
pub fn verify(path: &Path, part: Part, more: impl FnOnce(&Config) -> Vec<Problem>) -> ExitCode {
    let Some(_logs) = output::logs() else { return ExitCode::FAILURE };
    let Some(loaded) = output::load(path) else { return ExitCode::FAILURE };
    let mut problems = more(&loaded.config);
    problems.extend(loaded.config.check_environment(part));
    if !problems.is_empty() {
        output::refuse(path, &ConfigError::Invalid { path: path.to_owned(), problems });
        return ExitCode::FAILURE;
    }
    for warning in &loaded.warnings {
        tracing::warn!(key = %warning.path, "{}", warning.message);
    }
    tracing::info!(config = %path.display(), "config file is valid");
    ExitCode::SUCCESS
}
