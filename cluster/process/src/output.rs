//! What the command line says, apart from the logs of a running registry: to people on standard error, to programs as log lines.

use std::{io::Write, path::Path, process::ExitCode};

use zot_config::{
    Config, ConfigError, DIST_SPEC_VERSION, Loaded, Warning,
    log::{Level, Log},
};
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

/// Logs to standard output, for what follows no configuration.
pub fn logs() -> Option<LogGuard> {
    logging(&LogOptions { level: LogLevel::Info, output: None })
}

fn logging(options: &LogOptions) -> Option<LogGuard> {
    match telemetry::init(options) {
        Ok(guard) => Some(guard),
        Err(error) => {
            tell(format_args!("cannot write logs: {}", telemetry::chain(&error)));
            None
        }
    }
}

/// Reads a configuration and logs as it says, or says everything that is wrong with it.
pub fn begin(path: &Path) -> Option<(Loaded, LogGuard)> {
    match Config::load(path) {
        Ok(loaded) => {
            let logs = logging(&options(&loaded.config.log))?;
            Some((loaded, logs))
        }
        Err(error) => {
            let _logs = logs();
            refuse(path, &error);
            None
        }
    }
}

fn options(log: &Log) -> LogOptions {
    let level = match log.level {
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    };
    LogOptions { level, output: log.output.clone() }
}

/// Logs what a configuration may not have meant.
pub fn warn(warnings: &[Warning]) {
    for warning in warnings {
        tracing::warn!(key = %warning.path, "{}", warning.message);
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
