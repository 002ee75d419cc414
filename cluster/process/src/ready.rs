//! `ready`: whether the process that a configuration describes serves on this host, as an exit code for supervisors.

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::Context as _;
use zot_config::Config;
use zot_runtime::telemetry;

use crate::output;

/// How long the process may take to answer: supervisors ask every few seconds, and give up themselves after not many more.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Exits with success if `ask` finds the process ready, otherwise with failure after saying why.
pub fn ready(path: &Path, ask: impl AsyncFnOnce(Config) -> anyhow::Result<()>) -> ExitCode {
    let config = match Config::load(path) {
        Ok(loaded) => loaded.config,
        Err(error) => {
            output::tell(telemetry::chain(&error));
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime.context("start a thread").and_then(|runtime| {
        let answer = runtime.block_on(async { tokio::time::timeout(ANSWER_WITHIN, ask(config)).await });
        answer.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {ANSWER_WITHIN:?}")))
    });
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            output::tell(format_args!("not ready: {reason:#}"));
            ExitCode::FAILURE
        }
    }
}
