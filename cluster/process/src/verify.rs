//! `verify`: is this configuration right, here and now?

use std::{path::Path, process::ExitCode};

use zot_config::{Config, ConfigError, Part, Problem};

use crate::{output, tls};

/// Checks a configuration file and everything that it names, as far as it concerns `part`; `understood` is what only those see who know what to do
/// with a setting.
pub fn verify(path: &Path, part: Part, understood: impl FnOnce(&Config) -> Vec<Problem>) -> ExitCode {
    let Some(_logs) = output::logs() else { return ExitCode::FAILURE };
    let Some(loaded) = output::load(path) else { return ExitCode::FAILURE };
    let mut problems = loaded.config.check_environment(part);
    let deeper = understood(&loaded.config).into_iter().chain(tls::check(&loaded.config, part));
    // What cannot be read cannot be understood either, and is told once.
    let deeper: Vec<Problem> = deeper.filter(|deeper| !problems.iter().any(|known| known.path.is_within(&deeper.path))).collect();
    problems.extend(deeper);
    if !problems.is_empty() {
        output::refuse(path, &ConfigError::Invalid { path: path.to_owned(), problems });
        return ExitCode::FAILURE;
    }
    output::warn(&loaded.warnings);
    tracing::info!(config = %path.display(), "config file is valid");
    ExitCode::SUCCESS
}
