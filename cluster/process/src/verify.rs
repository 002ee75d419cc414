//! `verify`: is this configuration right, here and now?

use std::{path::Path, process::ExitCode};

use zot_config::{Config, ConfigError, Part, Problem, Warning};

use crate::{output, tls};

/// What those say of a configuration who know what to do with its settings.
#[derive(Debug, Default)]
pub struct Findings {
    /// Why it cannot be used.
    pub problems: Vec<Problem>,
    /// What its owner should know.
    pub warnings: Vec<Warning>,
}

impl From<Vec<Problem>> for Findings {
    fn from(problems: Vec<Problem>) -> Self {
        Self { problems, warnings: Vec::new() }
    }
}

impl Findings {
    /// These and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.problems.extend(others.problems);
        self.warnings.extend(others.warnings);
        self
    }
}

/// Checks a configuration file and everything that it names, as far as it concerns `part`; `understood` is what only those see who know what to do
/// with a setting.
pub fn verify(path: &Path, part: Part, understood: impl FnOnce(&Config) -> Findings) -> ExitCode {
    let Some(_logs) = output::logs() else { return ExitCode::FAILURE };
    let Some(loaded) = output::load(path) else { return ExitCode::FAILURE };
    let mut problems = loaded.config.check_environment(part);
    let (understood, missing) = (understood(&loaded.config), problems.len());
    for deeper in understood.problems.into_iter().chain(tls::check(&loaded.config, part)) {
        // What cannot be read cannot be understood either, and what two of them see is told once.
        let is_known = problems[..missing].iter().any(|known| known.path.is_within(&deeper.path)) || problems.contains(&deeper);
        if !is_known {
            problems.push(deeper);
        }
    }
    if !problems.is_empty() {
        output::refuse(path, &ConfigError::Invalid { path: path.to_owned(), problems });
        return ExitCode::FAILURE;
    }
    output::warn(&loaded.warnings);
    output::warn(&understood.warnings);
    tracing::info!(config = %path.display(), "config file is valid");
    ExitCode::SUCCESS
}
