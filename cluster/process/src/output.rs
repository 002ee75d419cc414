//! What the command line says, apart from the logs of a running registry: to people on standard error, to programs as log lines.

use std::{io::Write, path::Path, process::ExitCode};

use zot_config::{Config, ConfigError, DIST_SPEC_VERSION, Loaded};
use zot_runtime::telemetry::{self, LogGuard, LogLevel, LogOptions};

/// Shows how the program is called. Asked for, that is a success; otherwise an error.
pub fn usage(error: &clap::Error) -> ExitCode {
    // Nothing can be said if even this cannot be written.
    error.print().ok();
    if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Shows the help.
pub fn help(command: &mut clap::Command) -> ExitCode {
    command.print_help().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Logs the versions, as zot does.
pub fn version(binary_type: &'static str) -> ExitCode {
    let Some(_logs) = logs() else { return ExitCode::FAILURE };
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!("distribution-spec" = DIST_SPEC_VERSION, version, "binary-type" = binary_type, "version");
    ExitCode::SUCCESS
}

/// Logs to standard output until the configuration says where to.
pub fn logs() -> Option<LogGuard> {
    match telemetry::init(&LogOptions { level: LogLevel::Info, output: None }) {
        Ok(guard) => Some(guard),
        Err(error) => {
            tell(format_args!("cannot write logs: {}", telemetry::chain(&error)));
            None
        }
    }
}

/// Says something to a person.
pub fn tell(text: impl std::fmt::Display) {
    // Nothing can be said if even this cannot be written.
    writeln!(std::io::stderr(), "{text}").ok();
}

/// Reads a configuration, or says everything that is wrong with it.
pub fn load(path: &Path) -> Option<Loaded> {
    match Config::load(path) {
        Ok(loaded) => Some(loaded),
        Err(error) => {
            refuse(path, &error);
            None
        }
    }
}

/// Says that a configuration cannot be used, to people and to programs.
pub fn refuse(path: &Path, error: &ConfigError) {
    tell(telemetry::chain(error));
    tracing::error!(config = %path.display(), error = %telemetry::chain(error), "invalid config file");
}
